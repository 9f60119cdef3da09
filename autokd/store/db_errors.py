"""Translates errors of database drivers, SQLAlchemy and Optuna, and of rows that autokd did not write."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NoReturn

from optuna.exceptions import OptunaError
from sqlalchemy.engine import URL, Engine
from sqlalchemy.exc import DBAPIError, NoSuchTableError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from autokd.errors import AutokdError, StoreError, StoreUnreachable
from autokd.store.url import redacted, secrets

_SQLITE_AWAY: Final = frozenset(
    {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN}
)
_SQLITE_DAMAGED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_SQLITE_FULL: Final = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE})
"""SHMSIZE is a full disk, found when writing begins."""
_SQLSTATE_FULL: Final = "53100"
_MYSQL_FULL: Final = frozenset({1021, 1114})
_MYSQL_AWAY: Final = frozenset({1040, 1044, 1045, 1049, 1053, 1129, 1130, 1203, 1205, 1213, 1226, 1927})
"""Too many connections, no access, no such database, shutdown, blocked host, lock waits, killed."""
_SQLSTATES_AWAY: Final = ("08", "28", "3D", "40", "53200", "53300", "55P03", "57", "25P03")
"""PostgreSQL's codes of: connection, no access, no such database, conflict of transactions, out of memory or
connections, lock wait, shutdown and other interventions of an operator, idle for too long.
"""
_UNDONE: Final = ("40", "25P03")
"""PostgreSQL's codes of a transaction that was undone in favour of another one, or sat idle for too long."""
_MYSQL_UNDONE: Final = frozenset({1213})
_DRIVERS: Final = frozenset({"sqlite3", "psycopg", "pymysql"})
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
        _raise_ours(error, url)
    except Exception as error:
        # SQLAlchemy wraps what its drivers raise, save in a few corners that a cut connection leads to.
        if type(error).__module__.partition(".")[0] not in _DRIVERS:
            raise
        _raise_ours(error, url)


@contextmanager
def translated_session(engine: Engine, *, expire_on_commit: bool = True) -> Iterator[Session]:
    """Open a session of a database, whose errors are ours; see `translate_errors`."""
    with translate_errors(engine.url), Session(engine, expire_on_commit=expire_on_commit) as session:
        yield session


def _raise_ours(error: Exception, url: URL) -> NoReturn:
    chain = list(_chain(error))
    away = next((each for each in chain if _is_away(each)), None)
    if away is not None:
        message = f"the database {redacted(url)} cannot be reached: {_one_line(away, url)}; check --storage"
        ours: StoreError = StoreUnreachable(message, momentary=any(map(_is_momentary, chain)))
    else:
        causes = [each for each in chain if not isinstance(each, OptunaError)]
        way_out = next((way_out for each in chain if (way_out := _way_out(each))), "")
        words = _one_line((causes or chain)[0], url)
        ours = StoreError(f"the database {redacted(url)} reports: {words}{way_out}")
    # A driver's own message may quote the URL, so the cause is shown only if the URL has no secret.
    raise ours from (None if secrets(url) else error)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and those of database and Optuna that led to it, the last one first.

    Optuna repeats some queries when they fail. If a cut connection was the reason, the second error tells
    only that the session cannot go on.
    """
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen and not isinstance(current, AutokdError):
        seen.add(id(current))
        yield current
        current = current.__cause__ or current.__context__


@contextmanager
def validated(what: str) -> Iterator[None]:
    """Raise StoreError if the code inside reads a value of `what` that autokd does not write."""
    try:
        yield
    except (SQLAlchemyError, OptunaError):
        raise  # Some of them are LookupErrors, too; `translate_errors` handles them.
    except (
        *(ArithmeticError, AssertionError, AttributeError, LookupError, RecursionError),
        *(TypeError, ValueError),
    ) as error:
        raise StoreError(
            f"what the database has of {what} was not written by autokd ({_of_a_value(error)}); "
            "restore it from a backup, or delete that study in the dashboard and tune the pair again"
        ) from error


def _of_a_value(error: Exception) -> str:
    """Return what is wrong with a value; pydantic's own words would be many and about types."""
    if type(error).__module__.startswith("pydantic"):
        return "its parts do not have the form that autokd gives them"
    return f"{error!r:.300}"


def _way_out(error: BaseException) -> str:
    """Return what to do about an error of a database, as the end of its message; mostly empty."""
    source = error.orig if isinstance(error, DBAPIError) else error
    code = getattr(source, "sqlite_errorcode", 0)
    if (code & 0xFF) in _SQLITE_DAMAGED:
        return "; autokd store restore puts a backup in its place"
    state, mysql = str(getattr(source, "sqlstate", None) or ""), _mysql_code(source)
    if code in _SQLITE_FULL or state == _SQLSTATE_FULL or mysql in _MYSQL_FULL:
        return "; make room on its disk, and the same command goes on"
    return ""


def _is_away(error: BaseException) -> bool:
    if isinstance(error, DBAPIError):
        return error.connection_invalidated or _driver_is_away(error.orig)
    return isinstance(error, PoolTimeout) or _driver_is_away(error)


def _driver_is_away(error: BaseException | None) -> bool:
    """Return whether an error of a database's driver says that the database is away or busy."""
    if isinstance(error, sqlite3.Error):
        # NOTE: the low byte is the primary code.
        code = getattr(error, "sqlite_errorcode", 0)
        return (code & 0xFF) in _SQLITE_AWAY and code not in _SQLITE_FULL
    if (mysql := _mysql_code(error)) is not None:
        # pymysql raises OperationalError for every code that it does not know, so the type says nothing.
        return mysql in _MYSQL_AWAY or 2000 <= mysql < 3000 or mysql == 0
    state = getattr(error, "sqlstate", None)
    if state is not None:
        # psycopg raises OperationalError for a full disk, too, and waiting does not help there.
        return str(state).startswith(_SQLSTATES_AWAY)
    return any(base.__name__ in {"OperationalError", "InterfaceError"} for base in type(error).__mro__)


def _is_momentary(error: BaseException) -> bool:
    if not isinstance(error, DBAPIError):
        return False
    state = str(getattr(error.orig, "sqlstate", None) or "")
    undone = state.startswith(_UNDONE) or _mysql_code(error.orig) in _MYSQL_UNDONE
    # A server that was reached and fell silent before a session began says so in words alone.
    return error.connection_invalidated or undone or "closed the connection" in str(error.orig)


def _mysql_code(error: BaseException | None) -> int | None:
    """Return the code of an error of pymysql, 0 if it has none; None for other errors."""
    if error is None or not type(error).__module__.startswith("pymysql"):
        return None
    code = error.args[0] if error.args else 0
    return code if isinstance(code, int) else -1


def _one_line(error: BaseException, url: URL) -> str:
    # NOTE: the driver's message; SQLAlchemy's adds the statement and its parameters.
    source = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    if isinstance(source, NoSuchTableError):
        return f"it has no table {source}"
    # The arguments of pymysql's errors are a code and a text.
    words = str(source.args[-1] if source.args else source).split()
    text = " ".join(words) or type(source).__name__
    for secret in secrets(url):
        text = text.replace(secret, "***")
    return text if len(text) <= _LONGEST_DETAIL else f"{text[:_LONGEST_DETAIL]}…"
