"""Dimensions of a setting beyond temperature, alpha and transfer set."""

from __future__ import annotations

from sqlalchemy import Column, Double, Integer, String

from autokd.store.migrations.operations import add_columns

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Upgrade to this version; earlier runs had the plain method and the settings of the recipe."""
    add_columns(
        "autokd_run",
        Column("method", String(32), nullable=False, server_default="plain"),
        Column("learning_rate", Double),
        Column("budget", Integer),
        Column("batch_norm", String(16)),
    )
