"""Status of a driver."""

from __future__ import annotations

from sqlalchemy import Column, Double

from autokd.store.migrations.operations import add_columns
from autokd.store.tables import LONG_TEXT

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Upgrade to this version; earlier drivers have no status."""
    add_columns("autokd_driver", Column("words", LONG_TEXT), Column("told", Double))
