"""Opens a database: options of its connections, then Optuna's tables and ours at the newest version."""

from __future__ import annotations

import math
import os
import sqlite3
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from optuna.storages import RDBStorage
from sqlalchemy import Connection, Engine, NullPool, create_engine, event, inspect, text
from sqlalchemy.engine import URL

from autokd.core.setting import derive_seed
from autokd.errors import NotTuned, StorageUnavailable, StoreError
from autokd.store.db_errors import translate_errors
from autokd.store.leases import lease_seconds
from autokd.store.migrations import VERSION_TABLE, upgrade
from autokd.store.url import redacted, sqlite_file

_BUSY_SECONDS: Final = 30
_CONNECT_SECONDS: Final = 10
_LOCK_SECONDS: Final = 60


class _SqliteConnection(sqlite3.Connection):
    """A connection in which readers do not block the writer, and foreign keys are checked.

    `synchronous=NORMAL` is safe with the write-ahead log: a crash of the machine may lose the last commits,
    and so some runs, which are repeated, but never the database.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
            self.execute(f"PRAGMA {pragma}").close()


def connect(url: URL, *, create: bool) -> RDBStorage:
    """Return Optuna's storage on a database that has all tables, also ours; see `Store.open`."""
    options, file = _engine_options(url), sqlite_file(url)
    if file is not None and (create or file.exists()):
        _prepare_file(file)
    if not create:
        _require_tables(url, options)
    with translate_errors(url), _one_at_a_time(url, options):
        # NOTE: Optuna fills "{SCHEMA_VERSION}" into URLs by `str.format`; a brace in ours is just a brace.
        address = url.render_as_string(hide_password=False).replace("{", "{{").replace("}", "}}")
        # Optuna's own check would leave its connections open when it fails.
        storage = RDBStorage(address, engine_kwargs=options, skip_compatibility_check=True)
        try:
            _require_optunas_version(storage, url)
            upgrade(storage.engine)
        except Exception:
            storage.engine.dispose()
            raise
        _end_idle_transactions(storage.engine)
    return storage


def _engine_options(url: URL) -> dict[str, Any]:
    if sqlite_file(url) is not None:
        timeout = {} if "timeout" in url.query else {"timeout": _BUSY_SECONDS}
        return {"connect_args": {"factory": _SqliteConnection, **timeout}}
    # Both servers' drivers have this option. A connection that an outage has cut is replaced before use.
    timeout = {} if "connect_timeout" in url.query else {"connect_timeout": _CONNECT_SECONDS}
    return {"connect_args": timeout, "pool_pre_ping": True}


def _connected(url: URL, options: Mapping[str, Any]) -> Connection:
    """Return a connection outside of any pool, which `with` ends."""
    return create_engine(url, **options, poolclass=NullPool).connect()


def _prepare_file(file: Path) -> None:
    """Make the folder of a SQLite file, and check that both can be written: readers write there, too."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        problem = f"the folder {file.parent} cannot be made: {error.strerror}"
        raise StorageUnavailable(f"{problem}; choose another --home or --storage") from error
    for path in (file.parent, file):
        if path.exists() and not os.access(path, os.W_OK):
            raise StorageUnavailable(f"{path} cannot be written; choose another --home or --storage")


def _require_tables(url: URL, options: Mapping[str, Any]) -> None:
    file = sqlite_file(url)
    if file is None or file.exists():
        with translate_errors(url), _connected(url, options) as connection:
            if inspect(connection).has_table(VERSION_TABLE):
                return
    raise NotTuned(f"nothing is stored in {redacted(url)} yet; run `autokd tune` first, or check --storage")


@contextmanager
def _one_at_a_time(url: URL, options: Mapping[str, Any]) -> Iterator[None]:
    """Keep other processes from making or migrating the tables meanwhile; one of them would fail.

    The lock belongs to an open folder or connection, so it ends with its process.
    """
    file = sqlite_file(url)
    if file is None:
        # The key includes the database's name, since a lock of MySQL is valid for the whole server.
        key = derive_seed("autokd opens a store", url.database or "")
        statement = {
            "postgresql": "SELECT pg_advisory_lock(:key)",
            "mysql": f"SELECT GET_LOCK(CONCAT('autokd-', :key), {_LOCK_SECONDS})",
        }[url.get_backend_name()]
        with _connected(url, options) as connection:
            connection.execute(text(statement), {"key": key})
            yield
    elif sys.platform == "win32":
        yield
    else:
        import fcntl

        # NOTE: not the file: a process that closes it anywhere loses the locks that SQLite holds on it.
        handle = os.open(file.parent, os.O_RDONLY)
        try:
            with suppress(OSError):  # Some network folders have no locks; we then go on without.
                fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


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
