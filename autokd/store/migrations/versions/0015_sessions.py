"""Sessions of browsers that have signed in to the service."""

from __future__ import annotations

from sqlalchemy import Column, Double, ForeignKey, String

from autokd.store.migrations.operations import create_indexes, create_table

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Upgrade to this version; nobody has signed in yet."""
    create_table(
        "autokd_session",
        Column("id", String(64), primary_key=True),
        Column("token_id", String(8), ForeignKey("autokd_token.id"), nullable=False),
        Column("created", Double, nullable=False),
        Column("used", Double, nullable=False),
    )
    create_indexes("autokd_session", "token_id")
