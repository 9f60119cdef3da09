"""Waiting for another process that makes or upgrades the tables: with a word, and not for ever."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError

from autokd.core.setting import derive_seed
from autokd.errors import StorageUnavailable
from autokd.store.url import redacted, sqlite_file

LOCK_SECONDS: Final = 60.0
"""How long a command waits for the lock; making all tables takes a second."""
_SILENT_SECONDS: Final = 2.0
_POLL_SECONDS: Final = 0.05
_log = logging.getLogger(__name__)

_STATEMENTS: Final = {
    "postgresql": ("SELECT pg_try_advisory_lock(:key)", "SELECT pg_advisory_unlock(:key)"),
    "mysql": (
        "SELECT GET_LOCK(CONCAT('autokd-', :key), 0)",
        "SELECT RELEASE_LOCK(CONCAT('autokd-', :key))",
    ),
}
"""Try to get a lock, and give it back; the first returns 1 if it has it, else 0, or NULL after an error."""


@contextmanager
def one_at_a_time(url: URL, connect: Callable[[], Connection]) -> Iterator[None]:
    """Keep other processes from making or upgrading the tables meanwhile; one of them would fail.

    The lock belongs to an open folder or connection, so it ends with its process.

    Args:
        connect: Returns a connection to a server, outside of any pool.

    Raises:
        StorageUnavailable: If another process has the lock for a minute.
    """
    file = sqlite_file(url)
    if file is None:
        with connect() as connection:
            # A transaction that sits idle may be ended by the server, and the lock with it.
            connection = connection.execution_options(isolation_level="AUTOCOMMIT")
            # The key includes the database's name, since a lock of MySQL is valid for the whole server.
            key = {"key": derive_seed("autokd opens a store", url.database or "")}
            take, give_back = map(text, _STATEMENTS[url.get_backend_name()])
            _wait(lambda: bool(connection.scalar(take, key)), redacted(url))
            yield
            with suppress(SQLAlchemyError):  # If the connection is gone, so is the lock.
                connection.execute(give_back, key)
    elif sys.platform == "win32":
        yield
    else:
        # NOTE: not the file: a process that closes it anywhere loses the locks that SQLite holds on it.
        handle = os.open(file.parent, os.O_RDONLY)
        try:
            _wait(lambda: _locks(handle), str(file))
            yield
        finally:
            os.close(handle)


def _locks(folder: int) -> bool:
    """Try to lock a folder; return whether nobody else has it."""
    import fcntl

    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # Some network folders have no locks; we then go on without.
        pass
    return True


def _wait(attempt: Callable[[], bool], where: str | Path) -> None:
    """Try again until an attempt succeeds.

    Raises:
        StorageUnavailable: If none does for `LOCK_SECONDS`.
    """
    began, said = time.monotonic(), False
    while not attempt():
        waited = time.monotonic() - began
        if waited > LOCK_SECONDS:
            raise StorageUnavailable(
                f"another process has been making or upgrading the tables of {where} for more than "
                f"{LOCK_SECONDS:.0f} s; if it hangs, end it, then run the same command again"
            )
        if waited > _SILENT_SECONDS and not said:
            said = True
            _log.warning("waiting for another process that makes or upgrades the tables of %s", where)
        time.sleep(_POLL_SECONDS)
