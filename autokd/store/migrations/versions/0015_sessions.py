"""Sessions of browsers that have signed in to the service."""

from __future__ import annotations

from alembic import op
from sqlalchemy import Column, Double, ForeignKey, String, inspect

from autokd.store.migrations.operations import create_table

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
    present = {index["name"] for index in inspect(op.get_bind()).get_indexes("autokd_session")}
    if (name := "ix_autokd_session_token_id") not in present:
        op.create_index(name, "autokd_session", ["token_id"])
