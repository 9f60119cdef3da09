"""Whether a store is still the one that was opened: its file, and its identity in the database.

A SQLite file that is removed while it is open goes on living without a name, and all that is written to it is
lost. One that is replaced has other content under the same name. One that is written over, as `cp` does, is
still the same file, and SQLite notices nothing as long as it has all pages in its log.
"""

from __future__ import annotations

import os
import secrets
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final, final

from sqlalchemy import Connection, Engine, select
from sqlalchemy.engine import URL

from autokd.errors import ForeignLog, StoreReplaced
from autokd.store.tables import StoreRow
from autokd.store.url import redacted, sqlite_file

_HEADER_BYTES: Final = 100
_MAGIC: Final = b"SQLite format 3\0"
_CHANGES: Final = 24
"""Offset of the number of changes in the header of a file; it grows."""
_USER_VERSION: Final = 60
"""Offset of SQLite's user version in the header of a file: here it is a short form of the identity."""
_WAL_HEADER, _FRAME_HEADER = 32, 24
_WAL_MAGIC: Final = frozenset({0x377F0682, 0x377F0683})


@final
class Original:
    """Remembers which store was opened.

    Args:
        identity: Identity that the database had then.
    """

    def __init__(self, url: URL, identity: str | None) -> None:
        self._where, self._identity = redacted(url), identity
        self._file = sqlite_file(url)
        self._inode = None if self._file is None else _inode(self._file)
        self._descriptor = -1
        self._header = self._read_header()

    def check_file(self) -> None:
        """Raise `StoreReplaced` if the file is another one, was written over, or is gone."""
        if self._file is None:
            return
        if _inode(self._file) != self._inode:
            self._raise("replaced by another file" if self._file.exists() else "removed")
        # In this order: another thread may look at the same time.
        before = self._header
        header = self._read_header()
        if before is None or header is None or not before.startswith(_MAGIC):
            return
        if not _follows(header, before, self._identity):
            self._raise("written over")
        self._header = header

    def _read_header(self) -> bytes | None:
        """Return the header of the file; None where the system does not tell.

        It is read by the descriptor that SQLite has: see `check_write_ahead_log` for what a second one does.
        """
        if self._inode is None:
            return None
        try:
            if not _is_of(self._descriptor, self._inode):
                self._descriptor = next(_descriptors(self._inode), -1)
            return os.pread(self._descriptor, _HEADER_BYTES, 0)
        except OSError:
            return None

    def check(self, connection: Connection) -> None:
        """Raise `StoreReplaced` if the database has another identity."""
        if self._identity is not None and identity_of(connection) != self._identity:
            self._raise("replaced by another store")

    def _raise(self, what: str) -> None:
        raise StoreReplaced(
            f"the store {self._where} was {what} while this command used it, so the command ends and writes "
            "nothing more; what it wrote after that is lost. Put the store back, or restore a backup (autokd "
            "store restore), then run the same command again"
        )


def identity_of(connection: Connection) -> str | None:
    """Return the identity of a store; None if it has none."""
    return connection.scalar(select(StoreRow.identity))


def identity_in(engine: Engine) -> str | None:
    """Return the identity of a store; a SQLite file gets its short form in the header."""
    with engine.connect() as connection:
        identity = identity_of(connection)
        if identity is not None and engine.dialect.name == "sqlite":
            present = connection.exec_driver_sql("PRAGMA user_version").scalar()
            if not present:
                connection.exec_driver_sql(f"PRAGMA user_version = {short_form(identity)}")
                connection.commit()
    return identity


def new_identity() -> str:
    """Return an identity that no other store has."""
    return secrets.token_hex(16)


def short_form(identity: str) -> int:
    """Return what the header of the file has of an identity: a positive number of 31 bits."""
    return int(identity[:8], 16) & 0x7FFFFFFF or 1


def _follows(header: bytes, before: bytes, identity: str | None) -> bool:
    """Return whether a file with an earlier header may have this one now, by what SQLite itself writes."""
    if not header.startswith(_MAGIC) or len(header) < _HEADER_BYTES:
        return False
    (version,), (former,) = (struct.unpack_from(">I", each, _USER_VERSION) for each in (header, before))
    (changes,), (fewer,) = (struct.unpack_from(">I", each, _CHANGES) for each in (header, before))
    own = None if identity is None else short_form(identity)
    return version in (former, own) and changes >= fewer


def check_write_ahead_log(file: Path) -> None:
    """Refuse a SQLite file beside the write-ahead log of another one, which would be mixed into it.

    A file that this process uses is not looked at: its log is its own. And to close it here would drop all
    locks that SQLite holds on it in this process, since they belong to process and file, whoever opened it:
    another process could then take the log away from under a connection.
    Source: "How To Corrupt An SQLite Database File", section 2.2, sqlite.org/howtocorrupt.html.

    Raises:
        ForeignLog: If the log holds the first page of a file with another identity.
    """
    log = file.with_name(f"{file.name}-wal")
    if _is_open_here(file):
        return
    try:
        with file.open("rb") as opened:
            header = opened.read(_HEADER_BYTES)
        others = list(_identities_in(log)) if log.exists() else []
    except OSError:
        return  # Opening the store says it better.
    if len(header) < _HEADER_BYTES:
        return
    (own,) = struct.unpack_from(">I", header, _USER_VERSION)
    if own and any(other not in (0, own) for other in others):
        raise ForeignLog(
            f"beside {file} lies the write-ahead log of another store, {log.name}: SQLite would mix the "
            f"two. If {file.name} is the one that you want, move {log.name} and {file.name}-shm away; "
            "autokd store restore does all of this by itself"
        )


def _identities_in(log: Path) -> Iterator[int]:
    """Yield the short identity in each first page that a write-ahead log holds; other pages are passed by."""
    with log.open("rb") as opened:
        header = opened.read(_WAL_HEADER)
        if len(header) < _WAL_HEADER:
            return
        magic, _, page = struct.unpack_from(">III", header)
        if magic not in _WAL_MAGIC:
            return
        start = _WAL_HEADER
        while len(frame := opened.read(_FRAME_HEADER + _HEADER_BYTES)) == _FRAME_HEADER + _HEADER_BYTES:
            if frame[8:16] != header[16:24]:
                return  # What follows is older than this log.
            (number,) = struct.unpack_from(">I", frame)
            if number == 1:
                (identity,) = struct.unpack_from(">I", frame, _FRAME_HEADER + _USER_VERSION)
                yield identity
            start += _FRAME_HEADER + page
            opened.seek(start)


def _is_open_here(file: Path) -> bool:
    """Return whether this process has a file open; where the system does not tell, True if it matters."""
    inode = _inode(file)
    try:
        return inode is not None and any(True for _ in _descriptors(inode))
    except OSError:
        return os.name == "posix"


def _descriptors(inode: tuple[int, int]) -> Iterator[int]:
    """Yield the descriptors by which this process has a file open.

    Raises:
        OSError: If the system does not tell.
    """
    for entry in Path("/dev/fd").iterdir():
        if _is_of(int(entry.name), inode):
            yield int(entry.name)


def _is_of(descriptor: int, inode: tuple[int, int]) -> bool:
    try:
        seen = os.fstat(descriptor)
    except (OSError, OverflowError):  # The listing's own is closed by now.
        return False
    return (seen.st_dev, seen.st_ino) == inode


def _inode(file: Path) -> tuple[int, int] | None:
    try:
        seen = file.stat()
    except OSError:
        return None
    return seen.st_dev, seen.st_ino
