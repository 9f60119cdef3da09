"""Requests to stop a driver."""

from __future__ import annotations

from sqlalchemy import Column

from autokd.store.migrations.operations import add_columns
from autokd.store.tables import LONG_TEXT

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Upgrade to this version; nobody has asked earlier drivers to stop."""
    add_columns("autokd_driver", Column("asked_to_stop", LONG_TEXT))
