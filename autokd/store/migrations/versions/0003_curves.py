"""Curves of swept runs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Upgrade to this version."""
    op.create_table(
        "autokd_run_curve",
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("rungs", sa.Text().with_variant(mysql.MEDIUMTEXT(), "mysql"), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["autokd_run.id"], name="fk_autokd_run_curve_run_id"),
        sa.PrimaryKeyConstraint("run_id", name="pk_autokd_run_curve"),
        if_not_exists=True,
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
    )
