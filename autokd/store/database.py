"""Opens a database: options of its connections, then Optuna's tables and ours at the newest version."""

from __future__ import annotations

import math
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from optuna.storages import RDBStorage
from sqlalchemy import Engine, create_engine, event, inspect
from sqlalchemy.engine import URL

from autokd.errors import NotTuned, StorageUnavailable, StoreError
from autokd.store.db_errors import translate_errors
from autokd.store.leases import lease_seconds
from autokd.store.migration_lock import migration_lock
from autokd.store.migrations import VERSION_TABLE, upgrade
from autokd.store.url import redacted, sqlite_file

_BUSY_SECONDS: Final = 30
_CONNECT_SECONDS: Final = 10


class _Connection(sqlite3.Connection):
    """A connection to SQLite in which readers do not block the writer, and foreign keys are checked.

    `synchronous=NORMAL` is safe with the write-ahead log: a crash of the machine may lose the last commits,
    and so some runs, which are repeated, but never the database.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
            self.execute(f"PRAGMA {pragma}").close()


def connect(url: URL, *, create: bool) -> RDBStorage:
    """Return Optuna's storage on a database that has all tables, also ours; its `engine` serves both.

    Args:
        url: Normalised.
        create: Whether to make what is missing: file, folder, tables.

    Raises:
        NotTuned: If there is nothing yet and `create` is off; nothing was changed.
        StorageUnavailable: If a file or its folder cannot be made or written.
        StoreError: If it cannot be reached or opened, or was written by a newer version.
    """
    options, file = _engine_options(url), sqlite_file(url)
    if file is not None and create:
        _make_folder(file.parent)
    if file is not None and (create or file.exists()):
        _require_writable(file)
    if not create:
        _require_tables(url, options)
    with translate_errors(url), migration_lock(url, options):
        # NOTE: Optuna fills "{SCHEMA_VERSION}" into URLs by `str.format`; a brace in ours is just a brace.
        text = url.render_as_string(hide_password=False).replace("{", "{{").replace("}", "}}")
        # Optuna's own check would leave its connections open when it fails.
        storage = RDBStorage(text, engine_kwargs=options, skip_compatibility_check=True)
        try:
            _require_optunas_version(storage, url)
            upgrade(storage.engine)
        except Exception:
            storage.engine.dispose()
            raise
        _end_idle_transactions(storage.engine)
    return storage


def _end_idle_transactions(engine: Engine) -> None:
    """Let a server end the transaction of a driver that was stopped in the middle of it.

    Its locks would otherwise outlast its lease and block the driver that takes over. SQLite has no such
    option: there, a driver that is stopped while it writes blocks the others until it goes on or dies.
    """

    @event.listens_for(engine, "connect")
    def connected(connection: Any, record: object) -> None:
        with closing(connection.cursor()) as cursor:
            if engine.dialect.name == "postgresql":
                cursor.execute(f"SET idle_in_transaction_session_timeout = {lease_seconds() * 1000:.0f}")
            elif engine.dialect.name == "mysql" and "MariaDB" in connection.get_server_info():
                cursor.execute(f"SET idle_transaction_timeout = {math.ceil(lease_seconds())}")
        connection.commit()

    engine.dispose()  # The connections so far were made without it.


def _require_optunas_version(storage: RDBStorage, url: URL) -> None:
    stored, needed = storage.get_current_version(), storage.get_head_version()
    if stored == needed:
        return
    way_out = (
        "run: optuna storage upgrade --storage <its address>"
        if stored in storage.get_all_versions()
        else "a newer Optuna wrote it: pip install --upgrade optuna"
    )
    raise StoreError(
        f"the database {redacted(url)} has Optuna's tables in version {stored}, not {needed}; {way_out}"
    )


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        problem = f"the folder {folder} cannot be made: {error.strerror}"
        raise StorageUnavailable(f"{problem}; choose another --home or --storage") from error


def _require_writable(file: Path) -> None:
    """Raise StorageUnavailable if a file or its folder is read-only: readers of SQLite write there, too."""
    for path in (file.parent, file):
        if path.exists() and not os.access(path, os.W_OK):
            raise StorageUnavailable(f"{path} cannot be written; choose another --home or --storage")


def _engine_options(url: URL) -> dict[str, Any]:
    if sqlite_file(url) is not None:
        arguments: dict[str, Any] = {"factory": _Connection}
        if "timeout" not in url.query:
            arguments["timeout"] = _BUSY_SECONDS
        return {"connect_args": arguments}
    # Both servers' drivers have this option. A connection that an outage has cut is replaced before use.
    arguments = {} if "connect_timeout" in url.query else {"connect_timeout": _CONNECT_SECONDS}
    return {"connect_args": arguments, "pool_pre_ping": True}


def _require_tables(url: URL, options: dict[str, Any]) -> None:
    file = sqlite_file(url)
    if file is None or file.exists():
        with translate_errors(url):
            engine = create_engine(url, **options)
            try:
                if inspect(engine).has_table(VERSION_TABLE):
                    return
            finally:
                engine.dispose()
    raise NotTuned(f"nothing is stored in {redacted(url)} yet; run `autokd tune` first, or check --storage")
