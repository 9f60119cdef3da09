"""Lets one process at a time make or migrate the tables of a database.

Otherwise, two commands on a new database would both see no tables, and one of them would fail.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from sqlalchemy import NullPool, create_engine, text
from sqlalchemy.engine import URL

from autokd.core.setting import derive_seed
from autokd.store.url import sqlite_file

_NAME: Final = "autokd opens a store"
_WAIT_SECONDS: Final = 60


@contextmanager
def migration_lock(url: URL, options: dict[str, Any]) -> Iterator[None]:
    """Hold the lock of a database; it ends with its process, since it belongs to an open file or connection.

    Args:
        options: Options of the engine that connects to a server.
    """
    file = sqlite_file(url)
    with _folder_locked(file.parent) if file is not None else _server_locked(url, options):
        yield


@contextmanager
def _folder_locked(folder: Path) -> Iterator[None]:
    # NOTE: not the file itself: a process that closes it anywhere loses the locks that SQLite holds on it.
    if sys.platform == "win32":
        yield
        return
    import fcntl

    handle = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # Some network folders have no locks; we then go on without.
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


@contextmanager
def _server_locked(url: URL, options: dict[str, Any]) -> Iterator[None]:
    key = derive_seed(_NAME, url.database or "")
    # The key includes the database's name, since a lock of MySQL is valid for the whole server.
    statement = {
        "postgresql": "SELECT pg_advisory_lock(:key)",
        "mysql": f"SELECT GET_LOCK(CONCAT('autokd-', :key), {_WAIT_SECONDS})",
    }[url.get_backend_name()]
    # Without a pool, leaving closes the connection and so releases the lock.
    with create_engine(url, **options, poolclass=NullPool).connect() as connection:
        connection.execute(text(statement), {"key": key})
        yield
