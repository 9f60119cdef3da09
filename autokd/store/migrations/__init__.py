"""Versions of autokd's own tables, and the upgrade to the newest."""

from __future__ import annotations

import logging
from functools import cache
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine

from autokd.errors import StoreError

VERSION_TABLE: Final = "autokd_alembic_version"
"""Optuna owns `alembic_version` in the same database."""


def upgrade(engine: Engine) -> None:
    """Bring autokd's tables to the newest version; do nothing if they have it.

    Raises:
        StoreError: If the database was written by a newer autokd.
    """
    scripts = _scripts()
    with engine.connect() as connection:
        current = current_version(connection)
    if current == scripts.get_current_head():
        return
    if current is not None and current not in known_versions():
        raise StoreError(
            f"the database has autokd's tables in version {current!r}, which this autokd does not know; "
            "a newer autokd wrote it: upgrade with pip install --upgrade autokd"
        )
    logging.getLogger("alembic").setLevel(logging.WARNING)
    with engine.begin() as connection:
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def newest_version() -> str | None:
    """Return the version of the tables that this code knows."""
    return _scripts().get_current_head()


def known_versions() -> set[str]:
    """Return all versions of the tables that this code can upgrade."""
    return {script.revision for script in _scripts().walk_revisions()}


def current_version(connection: Connection) -> str | None:
    """Return the version of autokd's tables in a database; None if there are none.

    Raises:
        StoreError: If it has several.
    """
    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
    versions = context.get_current_heads()
    if len(versions) > 1:
        raise StoreError(
            f"the database says that autokd's tables are of several versions ({', '.join(versions)}), which "
            "autokd never writes; restore it from a backup"
        )
    return next(iter(versions), None)


@cache
def _scripts() -> ScriptDirectory:
    """Return the steps from version to version; finding them imports each."""
    return ScriptDirectory.from_config(_config())


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", "autokd.store:migrations")
    return config
