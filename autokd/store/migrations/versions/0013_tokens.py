"""Tokens of the service."""

from __future__ import annotations

from sqlalchemy import Column, Double, String, UniqueConstraint

from autokd.store.migrations.operations import create_table

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Upgrade to this version; nobody has a token yet."""
    create_table(
        "autokd_token",
        Column("id", String(8), primary_key=True),
        Column("name", String(64), nullable=False),
        Column("current_name", String(64)),
        Column("scope", String(16), nullable=False),
        Column("digest", String(64), nullable=False),
        Column("created", Double, nullable=False),
        Column("expires", Double),
        Column("revoked", Double),
        UniqueConstraint("current_name"),
    )
