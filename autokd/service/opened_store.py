"""The store that the service has open, and which of its studies have changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock
from time import monotonic, thread_time
from typing import Final

from autokd.store import Store, normalise
from autokd.store.changes import Changes, Mark
from autokd.store.url import sqlite_file
from autokd.store.waits import DatabaseWaits

FRESH_SECONDS: Final = 0.25
"""For so long, what changed is not looked for again: many clients ask at once."""
_SHARE: Final = 0.1
"""Share of the time that looking takes at most, in a store with so much that it takes long: a batch needs its
cores."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The store, and what it had a moment ago.

    Attributes:
        store: The open store; another one if its file was replaced, e.g. by a backup.
        marks: Marks of its studies by name; equal as long as nothing has changed.
    """

    store: Store
    marks: Mapping[str, Mark]


class OpenedStore:
    """One store for all threads, opened when it is first asked for.

    Args:
        fresh_seconds: How long marks count as fresh, at least; with 0 they are looked up each time.

    Attributes:
        waits: How often and how long this process has waited for the database.
    """

    def __init__(self, address: str, *, fresh_seconds: float = FRESH_SECONDS) -> None:
        self._address, self._fresh = address, fresh_seconds
        self._file = sqlite_file(normalise(address))
        self.waits = DatabaseWaits()
        self._lock = Lock()
        self._store: Store | None = None
        self._changes: Changes | None = None
        self._inode: tuple[int, int] | None = None
        self._marks: Mapping[str, Mark] = {}
        self._looked, self._pause = -1e9, 0.0
        self._former: list[Store] = []

    @property
    def store(self) -> Store:
        """The store.

        Raises:
            StorageUnavailable: If the database does not answer.
        """
        with self._lock:
            return self._current()

    def snapshot(self) -> Snapshot:
        """Return the store, and the marks of its studies; see `store`."""
        with self._lock:
            store = self._current()
            if self._changes is None or monotonic() - self._looked >= max(self._fresh, self._pause):
                self._changes, began = self._changes or Changes(store), thread_time()
                self._marks, self._looked = self._changes.marks(), monotonic()
                self._pause = (thread_time() - began) / _SHARE if self._fresh else 0.0
            return Snapshot(store, self._marks)

    def close(self) -> None:
        """Close the store, and those before it."""
        with self._lock:
            for store in (*self._former, *([self._store] if self._store else [])):
                store.close()
            self._store, self._former = None, []

    def _current(self) -> Store:
        if self._store is not None and self._inode != self._inode_now():
            # Other threads may still read it, so it is closed at the end only.
            self._former.append(self._store)
            self._store = None
        if self._store is None:
            self._store = Store.open(self._address, create=True)
            self.waits.watch(self._store.optuna_storage.engine)
            self._changes, self._inode, self._looked = None, self._inode_now(), -1e9
        return self._store

    def _inode_now(self) -> tuple[int, int] | None:
        if self._file is None:
            return None
        try:
            seen = self._file.stat()
        except OSError:
            return None
        return seen.st_dev, seen.st_ino
