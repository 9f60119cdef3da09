"""Drivers and leases."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0002"
down_revision = "0001"

_OPTIONS: dict[str, Any] = {
    "if_not_exists": True,
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
}


def upgrade() -> None:
    """Upgrade to this version."""
    op.create_table(
        "autokd_driver",
        sa.Column("token", sa.String(32), nullable=False),
        sa.Column("process", sa.Text().with_variant(mysql.MEDIUMTEXT(), "mysql"), nullable=False),
        sa.Column("since", sa.Double(), nullable=False),
        sa.Column("expires", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("token", name="pk_autokd_driver"),
        **_OPTIONS,
    )
    op.create_table(
        "autokd_lease",
        sa.Column("study", sa.String(512), nullable=False),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("token", sa.String(32), nullable=True),
        sa.PrimaryKeyConstraint("study", name="pk_autokd_lease"),
        **_OPTIONS,
    )
