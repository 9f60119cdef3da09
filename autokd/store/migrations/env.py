"""Alembic runs this file for each command; `upgrade` hands it an open connection."""

from __future__ import annotations

from alembic import context

from autokd.store.migrations import VERSION_TABLE
from autokd.store.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    version_table=VERSION_TABLE,
)
with context.begin_transaction():
    context.run_migrations()
