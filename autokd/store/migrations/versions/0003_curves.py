"""Curves of swept runs."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Integer

from autokd.store.migrations.operations import create_table
from autokd.store.tables import LONG_TEXT

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Upgrade to this version."""
    create_table(
        "autokd_run_curve",
        Column("run_id", Integer, ForeignKey("autokd_run.id"), primary_key=True),
        Column("rungs", LONG_TEXT, nullable=False),
    )
