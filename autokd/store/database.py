"""Opens a database: options of its connections, then Optuna's tables and ours at the newest version."""

from __future__ import annotations

import logging
import math
import os
import sqlite3
from collections.abc import Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Final

from optuna.storages import RDBStorage
from sqlalchemy import Connection, Engine, NullPool, create_engine, event, inspect
from sqlalchemy.engine import URL

from autokd.core.atomic_write import OWNER_ONLY, make_folder
from autokd.core.regular_files import check_regular
from autokd.errors import NotTuned, StorageUnavailable, StoreError
from autokd.store import patience
from autokd.store.db_errors import translate_errors
from autokd.store.identity import check_write_ahead_log
from autokd.store.leases import lease_seconds
from autokd.store.locks import one_at_a_time
from autokd.store.migrations import VERSION_TABLE, current_version, newest_version, upgrade
from autokd.store.url import redacted, sqlite_file

_BUSY_SECONDS: Final = 30
# A connection that was cut is dropped from the pool, and what had to be said about it was raised already.
for _name in ("sqlalchemy.pool", "psycopg", "optuna.storages._rdb.storage"):
    logging.getLogger(_name).setLevel(logging.CRITICAL)

_ROW_SECONDS: Final = 15
"""How long a server lets a statement wait for the locks of another one."""
_LIMITS: Final[Mapping[str, Mapping[str, int]]] = {
    # A network that swallows everything is noticed after a minute or two; by default it is after hours.
    "postgresql": {
        "connect_timeout": 10,
        "keepalives_idle": 30,
        "keepalives_interval": 10,
        "keepalives_count": 3,
        "tcp_user_timeout": 60_000,
    },
    "mysql": {"connect_timeout": 10, "read_timeout": int(patience.SECONDS), "write_timeout": 60},
}
"""Options of both servers' drivers: seconds, save `tcp_user_timeout`, in milliseconds."""


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
        _check_files(file)
        _prepare_file(file)
        check_write_ahead_log(file)
    if not create:
        _require_tables(url, options)
    with translate_errors(url):
        if _is_up_to_date(url, options):
            return _storage(url, options)
        with one_at_a_time(url, lambda: _connected(url, options)):
            return _storage(url, options)


def _storage(url: URL, options: Mapping[str, Any]) -> RDBStorage:
    """Make what is missing of the tables, and upgrade ours."""
    # NOTE: Optuna fills "{SCHEMA_VERSION}" into URLs by `str.format`; a brace in ours is just a brace.
    address = url.render_as_string(hide_password=False).replace("{", "{{").replace("}", "}}")
    # Optuna's own check would leave its connections open when it fails.
    storage = RDBStorage(address, engine_kwargs=dict(options), skip_compatibility_check=True)
    try:
        _require_optunas_version(storage, url)
        _limit_waits(storage.engine)
        upgrade(storage.engine)
    except Exception:
        storage.engine.dispose()
        raise
    return storage


def _is_up_to_date(url: URL, options: Mapping[str, Any]) -> bool:
    """Return whether nothing is to be made or upgraded; then no other process need be waited for."""
    file = sqlite_file(url)
    if file is not None and not file.exists():
        return False
    with _connected(url, options) as connection:
        return current_version(connection) == newest_version()


def _engine_options(url: URL) -> dict[str, Any]:
    if sqlite_file(url) is not None:
        timeout = {} if "timeout" in url.query else {"timeout": _BUSY_SECONDS}
        return {"connect_args": {"factory": _SqliteConnection, **timeout}}
    limits = _LIMITS[url.get_backend_name()]
    arguments: dict[str, float] = {name: limit for name, limit in limits.items() if name not in url.query}
    if url.get_backend_name() == "postgresql":
        arguments[patience.PATIENCE] = patience.SECONDS
    # A connection that an outage has cut is replaced before use.
    return {"connect_args": arguments, "pool_pre_ping": True}


def _connected(url: URL, options: Mapping[str, Any]) -> Connection:
    """Return a connection outside of any pool, which `with` ends."""
    try:
        return create_engine(url, **options, poolclass=NullPool).connect()
    except (AttributeError, TypeError, ValueError, LookupError) as error:
        # A driver's own check of an option; its message may quote a value that is a secret.
        names = f" ({', '.join(url.query)})" if url.query else ""
        problem = f"the driver does not take its options{names}: {type(error).__name__}"
        raise StorageUnavailable(f"storage {redacted(url)!r}: {problem}; check --storage") from None


def _check_files(file: Path) -> None:
    """Check that regular files lie where SQLite has its files: it would wait for a pipe for ever."""
    for path in (file, *(file.with_name(file.name + ending) for ending in ("-wal", "-shm", "-journal"))):
        try:
            check_regular(path.stat())
        except FileNotFoundError:
            continue
        except OSError as error:
            problem = f"{path} cannot be read: {error.strerror}"
            raise StorageUnavailable(f"{problem}; choose another --home or --storage") from error
        except ValueError as error:
            raise StorageUnavailable(f"{path} {error}; choose another --home or --storage") from error


def _prepare_file(file: Path) -> None:
    """Make the folder of a SQLite file, and check that both can be written: readers write there, too."""
    try:
        make_folder(file.parent)
    except OSError as error:
        problem = f"the folder {file.parent} cannot be made: {error.strerror}"
        raise StorageUnavailable(f"{problem}; choose another --home or --storage") from error
    for path in (file.parent, file):
        if path.exists() and not os.access(path, os.W_OK):
            raise StorageUnavailable(f"{path} cannot be written; choose another --home or --storage")
    # SQLite gives its other files the mode of this one.
    with suppress(FileExistsError):
        os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, OWNER_ONLY))


def _require_tables(url: URL, options: Mapping[str, Any]) -> None:
    file = sqlite_file(url)
    if file is None or file.exists():
        with translate_errors(url), _connected(url, options) as connection:
            if inspect(connection).has_table(VERSION_TABLE):
                return
    raise NotTuned(f"nothing is stored in {redacted(url)} yet; run `autokd tune` first, or check --storage")


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


def _limit_waits(engine: Engine) -> None:
    """Let a server end statements that wait for locks, and transactions of a driver that was stopped.

    The locks of such a driver would otherwise outlast its lease and block the one that takes over. SQLite has
    no such option: there, a driver that is stopped while it writes blocks others until it goes on or dies.
    """

    @event.listens_for(engine, "connect")
    def connected(connection: Any, record: object) -> None:
        with closing(connection.cursor()) as cursor:
            if engine.dialect.name == "postgresql":
                cursor.execute(f"SET idle_in_transaction_session_timeout = {lease_seconds() * 1000:.0f}")
                cursor.execute(f"SET lock_timeout = {_ROW_SECONDS * 1000}")
            elif engine.dialect.name == "mysql":
                for limit in ("innodb_lock_wait_timeout", "lock_wait_timeout"):
                    cursor.execute(f"SET SESSION {limit} = {_ROW_SECONDS}")
                if "MariaDB" in connection.get_server_info():
                    cursor.execute(f"SET idle_transaction_timeout = {math.ceil(lease_seconds())}")
        connection.commit()

    engine.dispose()  # The connections so far were made without it.
