"""Schedule of a setting."""

from __future__ import annotations

from sqlalchemy import Column, String

from autokd.store.migrations.operations import add_columns

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Upgrade to this version; earlier runs had the recipe's schedule."""
    add_columns("autokd_run", Column("schedule", String(16)))
