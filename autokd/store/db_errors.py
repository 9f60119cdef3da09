"""Translates errors of database drivers, SQLAlchemy and Optuna, and of rows that autokd did not write."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from optuna.exceptions import OptunaError
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from autokd.errors import StoreError, StoreUnreachable
from autokd.store.url import redacted, secrets

_SQLITE_AWAY: Final = frozenset(
    {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN}
)
_MYSQL_AWAY: Final = frozenset({1040, 1044, 1045, 1049, 1053, 1129, 1130, 1203, 1205, 1213, 1226, 1927})
"""Too many connections, no access, no such database, shutdown, blocked host, lock waits, killed."""
_SQLSTATES_AWAY: Final = ("08", "28", "3D", "40", "53200", "53300", "55P03", "57", "25P03")
"""PostgreSQL's codes of: connection, no access, no such database, conflict of transactions, out of memory or
connections, lock wait, shutdown and other interventions of an operator, idle for too long.
"""
_LONGEST_DETAIL: Final = 300


@contextmanager
def translate_errors(url: URL) -> Iterator[None]:
    """Raise autokd's errors in place of others, with a message of one line that contains no password.

    Raises:
        StoreUnreachable: If the database does not answer or is busy: the same call may succeed later.
        StoreError: If it answers with an error.
    """
    try:
        yield
    except (SQLAlchemyError, OptunaError) as error:
        cause: BaseException = error
        while isinstance(cause, OptunaError) and cause.__cause__ is not None:
            cause = cause.__cause__
        detail = _one_line(cause, url)
        if _is_away(cause):
            message = f"the database {redacted(url)} cannot be reached: {detail}; check --storage"
            ours: StoreError = StoreUnreachable(message)
        else:
            ours = StoreError(f"the database {redacted(url)} reports: {detail}")
        # A driver's own message may quote the URL, so the cause is shown only if the URL has no secret.
        raise ours from (None if secrets(url) else error)


@contextmanager
def validated(what: str) -> Iterator[None]:
    """Raise StoreError if the code inside reads a value of `what` that autokd does not write."""
    try:
        yield
    except (SQLAlchemyError, OptunaError):
        raise  # Some of them are LookupErrors, too; `translate_errors` handles them.
    except (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise StoreError(
            f"what the database has of {what} was not written by autokd ({error!r:.300}); "
            "restore it from a backup, or delete that study in the dashboard and tune the pair again"
        ) from error


def _is_away(error: BaseException) -> bool:
    if not isinstance(error, DBAPIError):
        return isinstance(error, PoolTimeout)
    if error.connection_invalidated:
        return True
    original = error.orig
    if isinstance(original, sqlite3.Error):
        # NOTE: the low byte is the primary code. SHMSIZE is a full disk, found when writing begins.
        code = getattr(original, "sqlite_errorcode", 0)
        return (code & 0xFF) in _SQLITE_AWAY and code != sqlite3.SQLITE_IOERR_SHMSIZE
    if type(original).__module__.startswith("pymysql"):
        # pymysql raises OperationalError for every code that it does not know, so the type says nothing.
        code = original.args[0] if original is not None and original.args else 0
        return isinstance(code, int) and (code in _MYSQL_AWAY or 2000 <= code < 3000 or code == 0)
    state = getattr(original, "sqlstate", None)
    if state is not None:
        # psycopg raises OperationalError for a full disk, too, and waiting does not help there.
        return str(state).startswith(_SQLSTATES_AWAY)
    return any(base.__name__ in {"OperationalError", "InterfaceError"} for base in type(original).__mro__)


def _one_line(error: BaseException, url: URL) -> str:
    # NOTE: the driver's message; SQLAlchemy's adds the statement and its parameters.
    source = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    # The arguments of pymysql's errors are a code and a text.
    words = str(source.args[-1] if source.args else source).split()
    text = " ".join(words) or type(source).__name__
    for secret in secrets(url):
        text = text.replace(secret, "***")
    return text if len(text) <= _LONGEST_DETAIL else f"{text[:_LONGEST_DETAIL]}…"
