"""Database URLs: normalised, checked early, and never shown with a password."""

from __future__ import annotations

import re
from collections.abc import Collection
from importlib.util import find_spec
from inspect import signature
from pathlib import Path
from typing import Final
from urllib.parse import quote

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from autokd.errors import InputError
from autokd.text.quoting import did_you_mean, quoted

_SQLITE: Final = "sqlite"
# NOTE: Optuna recognises MySQL by the beginning of the URL, so MariaDB must have that name, too.
_DRIVERNAMES: Final = {
    "sqlite": _SQLITE,
    "sqlite+pysqlite": _SQLITE,
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mysql+pymysql": "mysql+pymysql",
    "mariadb": "mysql+pymysql",
    "mariadb+pymysql": "mysql+pymysql",
}
"""SQLAlchemy's name of a kind of database and its driver, by what people write."""
_EXTRAS: Final = {"psycopg": "postgres", "pymysql": "mysql"}
_SQLITE_OPTIONS: Final = ("timeout", "cached_statements", "check_same_thread", "isolation_level")
_SECRET_OPTION: Final = re.compile(r"pass|pwd|secret|token", re.IGNORECASE)
_HIDDEN: Final = "***"
_EXAMPLES: Final = "write sqlite:///studies.db, postgresql://user@host/database or mysql://user@host/database"


def normalise(text: str) -> URL:
    """Read a database URL into a spelling that Optuna and SQLAlchemy both understand.

    SQLite paths become absolute, so that a later change of folder does not change the database.

    Raises:
        InputError: If it is not a URL, its kind of database is not supported, it has no database name, or the
            driver is not installed. The message contains no password.
    """
    shown = redacted(text)
    url = _parsed(text)
    if url is None:
        raise InputError(f"storage {shown!r} is not a database URL; {_EXAMPLES}")
    drivername = _DRIVERNAMES.get(url.drivername)
    if drivername is None:
        raise InputError(f"storage {shown!r}: {url.drivername!r} is not supported; {_EXAMPLES}")
    if drivername == _SQLITE:
        if not url.database or url.database == ":memory:" or url.database.startswith("file:"):
            problem = "a store must be a file that outlives the command; write sqlite:///studies.db"
            raise InputError(f"storage {shown!r}: {problem}")
        _check_options(url, shown, _SQLITE_OPTIONS)
        return url.set(drivername=drivername, database=str(Path(url.database).absolute()))
    driver = drivername.partition("+")[2]
    if find_spec(driver) is None:
        raise InputError(
            f"storage {shown!r} needs the driver {driver!r}, which is not installed; "
            f'run: pip install "autokd[{_EXTRAS[driver]}]"'
        )
    if not url.database:
        raise InputError(f"storage {shown!r} names no database; {_EXAMPLES}")
    url = url.set(drivername=drivername)
    _check_options(url, shown, _known_options(driver))
    return url


def _check_options(url: URL, shown: str, known: Collection[str]) -> None:
    """Refuse options behind the question mark that the driver does not have, or cannot read.

    Raises:
        InputError: It names the option, and none of the values.
    """
    for name in url.query:
        if name not in known:
            hint = did_you_mean(name, known)
            raise InputError(f"storage {shown!r}: the database has no option {quoted(name)}{hint}")
    try:
        url.get_dialect()().create_connect_args(url)
    except ArgumentError:
        raise InputError(f"storage {shown!r} is not a database URL; {_EXAMPLES}") from None
    except (ValueError, TypeError, LookupError):
        raise InputError(
            f"storage {shown!r}: one of its options ({', '.join(url.query)}) has a value that cannot be read"
        ) from None


def _known_options(driver: str) -> Collection[str]:
    if driver == "pymysql":
        from pymysql.connections import Connection

        return signature(Connection.__init__).parameters.keys() - {"self", "conv", "cursorclass", "ssl"}
    from psycopg.pq import Conninfo

    return {option.keyword.decode() for option in Conninfo.get_defaults()} | {"prepare_threshold"}


def redacted(url: str | URL) -> str:
    """Return the URL without its secrets, for messages, reports and logs."""
    parsed = _parsed(url)
    if parsed is None:
        # Without parsing, nobody knows where the password is.
        scheme, mark, _ = str(url).partition("://")
        return f"{scheme}{mark}{_HIDDEN}" if mark else (_HIDDEN if "@" in str(url) else str(url))
    query = {key: _HIDDEN if _SECRET_OPTION.search(key) else value for key, value in parsed.query.items()}
    shown = parsed.set(query=query).render_as_string(hide_password=True)
    return shown.replace(quote(_HIDDEN), _HIDDEN)


def secrets(url: URL) -> tuple[str, ...]:
    """Return every text that must not appear in a message, plain and URL-quoted, longest first."""
    plain = {str(url.password)} if url.password else set()
    for key, values in url.normalized_query.items():
        if _SECRET_OPTION.search(key):
            plain.update(values)
    # SQLAlchemy does not quote spaces and plus signs in passwords; others do.
    spellings = {spelt for text in plain for spelt in (text, quote(text, safe=" +"), quote(text, safe=""))}
    return tuple(sorted(spellings - {""}, key=len, reverse=True))


def sqlite_url(file: Path) -> str:
    """Return the URL of a file; its path may contain `?`, `#` and `%`.

    Raises:
        InputError: If it is no valid Unicode.
    """
    try:
        str(file.absolute()).encode()
    except UnicodeEncodeError:
        raise InputError(
            f"{file.absolute()}: the path is no valid Unicode (is it in Latin-1?); choose another --home"
        ) from None
    return URL.create(_SQLITE, database=str(file.absolute())).render_as_string()


def sqlite_file(url: URL) -> Path | None:
    """Return the file of a normalised SQLite URL; None for a server."""
    return Path(url.database) if url.drivername == _SQLITE and url.database else None


def _parsed(url: str | URL) -> URL | None:
    try:
        return make_url(url)
    except (ArgumentError, ValueError):
        return None
