"""Teachers of a setting."""

from __future__ import annotations

from sqlalchemy import Column, String

from autokd.store.migrations.operations import add_columns

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Upgrade to this version; earlier runs were of pairs."""
    add_columns("autokd_run", Column("teachers", String(255)))
