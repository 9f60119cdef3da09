"""Logits of confirmation runs."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Integer, String

from autokd.store.migrations.operations import create_table
from autokd.store.tables import LONG_BYTES

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Upgrade to this version; the logits of earlier runs are not available."""
    create_table(
        "autokd_run_logits",
        Column("run_id", Integer, ForeignKey("autokd_run.id"), primary_key=True),
        Column("split", String(16), primary_key=True),
        Column("part", Integer, primary_key=True),
        Column("classes", Integer, nullable=False),
        Column("packed", LONG_BYTES, nullable=False),
    )
