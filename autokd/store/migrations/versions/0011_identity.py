"""Identity of a store."""

from __future__ import annotations

import secrets

import sqlalchemy as sa
from alembic import op
from sqlalchemy import Column, Integer, String

from autokd.store.migrations.operations import create_table

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Upgrade to this version; the store gets an identity that no other has."""
    create_table(
        "autokd_store",
        Column("id", Integer, primary_key=True, autoincrement=False),
        Column("identity", String(32), nullable=False),
    )
    store = sa.table("autokd_store", sa.column("id"), sa.column("identity"))
    if op.get_bind().scalar(sa.select(store.c.identity)) is None:
        op.execute(store.insert().values(id=1, identity=secrets.token_hex(16)))
