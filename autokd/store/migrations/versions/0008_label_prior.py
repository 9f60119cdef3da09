"""Label prior of a setting."""

from __future__ import annotations

from sqlalchemy import Column, String

from autokd.store.migrations.operations import add_columns

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Upgrade to this version; earlier runs had no correction."""
    add_columns("autokd_run", Column("label_prior", String(16), nullable=False, server_default="none"))
