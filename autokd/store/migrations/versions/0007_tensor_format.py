"""Memory format and precision of a run."""

from __future__ import annotations

from sqlalchemy import Column, String

from autokd.store.migrations.operations import add_columns

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Upgrade to this version; earlier runs count as contiguous and float32, the defaults of their time."""
    add_columns(
        "autokd_run",
        Column("memory_format", String(16), nullable=False, server_default="contiguous"),
        Column("precision", String(16), nullable=False, server_default="float32"),
    )
