"""Drivers and leases."""

from __future__ import annotations

from sqlalchemy import Column, Double, Integer, String

from autokd.store.migrations.operations import create_table
from autokd.store.tables import LONG_TEXT

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Upgrade to this version."""
    create_table(
        "autokd_driver",
        Column("token", String(32), primary_key=True),
        Column("process", LONG_TEXT, nullable=False),
        Column("since", Double, nullable=False),
        Column("expires", Double, nullable=False),
    )
    create_table(
        "autokd_lease",
        Column("study", String(512), primary_key=True),
        Column("fence", Integer, nullable=False),
        Column("token", String(32)),
    )
