"""Backup and restore of a SQLite store, also while drivers are at work; servers have tools of their own."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

from sqlalchemy.engine import URL

from autokd.core.atomic_write import OWNER_ONLY, make_folder, replacing
from autokd.core.regular_files import check_regular
from autokd.errors import InputError, NotTuned, StoreError
from autokd.store.identity import check_write_ahead_log, new_identity, short_form
from autokd.store.migrations import VERSION_TABLE, known_versions
from autokd.store.url import redacted, sqlite_file

_PAGES: Final = 1_000
"""Pages copied at a time, so that drivers write in between."""
_BESIDE: Final = ("-wal", "-shm")
_SERVERS: Final = {
    "postgresql": "pg_dump and pg_restore",
    "mysql": "mysqldump (mariadb-dump) and mysql (mariadb)",
}


def backup(url: URL, target: Path) -> None:
    """Copy a SQLite store as it is at one moment, its write-ahead log included, into a new file.

    The copy is a store of its own identity.

    Raises:
        InputError: If the target exists, or the store is on a server.
        NotTuned: If there is no store.
        StoreError: If it cannot be read or the copy not be written; then no copy is left.
    """
    source = _file(url)
    if not source.exists():
        raise NotTuned(f"there is no store {source}")
    _check(source)
    if target.exists():
        raise InputError(f"{target} exists; choose a new file for the backup")
    try:
        # Beside its place first: whoever finds a backup after a kill finds a whole one.
        with replacing(target) as draft:
            _copy(source, draft)
    except OSError as error:
        raise StoreError(f"{target} cannot be written: {error.strerror or error}") from error


def restore(url: URL, source: Path) -> None:
    """Put a backup in the place of a SQLite store, also of a damaged one, or where there is none.

    The caller makes sure that no driver is alive. What was there is kept as `<name>.before-restore`.

    Raises:
        InputError: If the backup does not exist, is none, is damaged or of a newer autokd, or the store is on
            a server.
        StoreError: If files cannot be written; then the store is as it was.
    """
    target = _file(url)
    if not source.exists():
        raise InputError(f"there is no backup {source}")
    _check(source)
    if source.resolve() == target.resolve():
        raise InputError(f"{source} is the store itself")
    fresh = target.with_name(f"{target.name}.restoring")
    with suppress(FileNotFoundError):
        fresh.unlink()
    before = target.with_name(f"{target.name}.before-restore")
    try:
        make_folder(target.parent)
        _make(fresh)
        _copy(source, fresh, for_use=True)
        _keep(target, before)
        fresh.replace(target)
    except OSError as error:
        raise StoreError(f"{target} cannot be replaced: {error.strerror}") from error


def _keep(file: Path, before: Path) -> None:
    """Keep a store under another name: in one file, or with its log as they are, if they cannot be read."""
    for ending in ("", *_BESIDE):
        with suppress(FileNotFoundError):
            before.with_name(before.name + ending).unlink()
    readable = file.exists()
    if readable:
        try:
            check_write_ahead_log(file)
            _make(before)
            _copy(file, before, renew=False)
        except InputError:
            readable = False
    for ending in ("", *_BESIDE):
        part = file.with_name(file.name + ending)
        with suppress(FileNotFoundError):
            if not readable:
                part.replace(before.with_name(before.name + ending))
            elif ending:
                part.unlink()


def _file(url: URL) -> Path:
    file = sqlite_file(url)
    if file is None:
        tools = _SERVERS[url.get_backend_name()]
        raise InputError(
            f"{redacted(url)} is a server's database: back it up and restore it with {tools}, see "
            "docs/cluster.md"
        )
    return file


def _check(source: Path) -> None:
    """Refuse what is no file: SQLite would wait for a pipe."""
    try:
        check_regular(source.stat())
    except ValueError as error:
        raise InputError(f"{source} {error}") from error


def _make(file: Path) -> None:
    """Make an empty file, private like the store itself."""
    os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, OWNER_ONLY))


def _copy(source: Path, target: Path, *, renew: bool = True, for_use: bool = False) -> None:
    """Copy a database into an empty file, which is removed if that fails.

    Args:
        renew: Give the copy an identity of its own.
        for_use: Refuse what this version cannot use.
    """
    try:
        with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
            old.backup(new, pages=_PAGES)
            if renew:
                _renew(new)
            if for_use:
                _require_usable(new)
            new.execute("PRAGMA journal_mode=DELETE").close()
    except BaseException as error:
        with suppress(OSError):
            target.unlink()
        if not isinstance(error, sqlite3.Error):
            raise
        if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError):
            raise InputError(f"{source} is not a store of autokd that can be used: {error}") from error
        raise StoreError(f"{source} cannot be copied: {error}") from error


def _require_usable(connection: sqlite3.Connection) -> None:
    """Raise `sqlite3.DatabaseError` if a database is damaged, or its tables are not known here."""
    (answer,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if answer != "ok":
        raise sqlite3.DatabaseError(f"it is damaged ({answer})")
    versions = {version for (version,) in connection.execute(f"SELECT version_num FROM {VERSION_TABLE}")}
    if not versions <= known_versions():
        raise sqlite3.DatabaseError("a newer autokd wrote it; upgrade with pip install --upgrade autokd")


def _renew(connection: sqlite3.Connection) -> None:
    identity = new_identity()
    try:
        # No driver holds what is in a copy.
        connection.execute("DELETE FROM autokd_driver")
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
        if "autokd_store" in tables:
            connection.execute("UPDATE autokd_store SET identity = ?", [identity])
            connection.execute(f"PRAGMA user_version = {short_form(identity)}")
        if "autokd_job" in tables:
            connection.execute("UPDATE autokd_job SET claim = NULL, owner = NULL, expires = NULL")
        connection.commit()
    except sqlite3.OperationalError as error:
        raise sqlite3.DatabaseError(f"it has none of autokd's tables ({error})") from error
