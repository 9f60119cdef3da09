"""The store that the service has open, and which of its studies have changed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from threading import Lock
from time import monotonic, thread_time
from typing import Final

from autokd.store import Store, normalise
from autokd.store.changes import Changes, Mark
from autokd.store.jobs import Jobs
from autokd.store.url import sqlite_file
from autokd.store.waits import DatabaseWaits

FRESH_SECONDS: Final = 0.25
"""For so long, what changed is not looked for again: many clients ask at once."""
SHARE: Final = 0.1
"""Share of the time in which a core looks for what has changed, and as much to answer anew, at most: a batch
needs its cores."""
_MOMENT_SECONDS: Final = 1.0
"""For so long beyond its time, a look is good for those who would have to wait for the next one."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The store, and what it had a moment ago.

    Attributes:
        store: The open store; another one if its file was replaced, e.g. by a backup.
        marks: Marks of its studies by name; equal as long as nothing has changed.
        floor: Time (`monotonic`) at which a job was over last, as far as anybody was told: what was right
            before need not be right any more.
    """

    store: Store
    marks: Mapping[str, Mark]
    floor: float


@dataclass(frozen=True, slots=True, eq=False)
class _Look:
    """What a look at a store has found, when it began and ended, and the seconds until the next one."""

    store: Store
    changes: Changes
    marks: Mapping[str, Mark]
    began: float
    ended: float
    pause: float


class OpenedStore:
    """One store for all threads, opened when it is first asked for.

    Args:
        fresh_seconds: How long marks count as fresh, at least; with 0 they are looked up each time.

    Attributes:
        fresh_seconds: The same.
        waits: How often and how long this process has waited for the database.
    """

    def __init__(self, address: str, *, fresh_seconds: float = FRESH_SECONDS) -> None:
        self._address, self.fresh_seconds = address, fresh_seconds
        self._file = sqlite_file(normalise(address))
        self.waits = DatabaseWaits()
        self._lock = Lock()
        self._store: Store | None = None
        self._inode: tuple[int, int] | None = None
        self._looking = Lock()
        self._look: _Look | None = None
        self._floor = -math.inf
        self._over: set[int] = set()
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
        store, look = self.store, self._look
        overdue, moment = self._overdue(store, look), _MOMENT_SECONDS if self.fresh_seconds else 0.0
        # While somebody looks, others take what was there a moment ago.
        if overdue >= 0 and self._looking.acquire(blocking=overdue >= moment):
            try:
                look = self._look
                if self._overdue(store, look) >= 0:
                    look = self._look = self._looked_at(store, look)
            finally:
                self._looking.release()
        assert look is not None, "without one, it waits"
        return Snapshot(store, look.marks, self._floor)

    @property
    def jobs(self) -> Jobs:
        """The jobs in the store; once they tell that one is over, nothing from before is fresh."""
        return Jobs(self.store, self._note_over)

    def _note_over(self, numbers: Iterable[int]) -> None:
        # Whoever is told that a job is over asks for what it has found, and must not be told what was before.
        new = set(numbers) - self._over
        if new:
            self._floor = monotonic()
            self._over |= new

    def close(self) -> None:
        """Close the store, and those before it."""
        with self._lock:
            for store in (*self._former, *([self._store] if self._store else [])):
                store.close()
            self._store, self._former = None, []

    def _overdue(self, store: Store, look: _Look | None) -> float:
        """Return for how many seconds a look is no longer good; a negative number if it is."""
        if look is None or look.store is not store or look.began <= self._floor:
            return math.inf
        return monotonic() - look.ended - max(self.fresh_seconds, look.pause)

    def _looked_at(self, store: Store, before: _Look | None) -> _Look:
        changes = before.changes if before is not None and before.store is store else Changes(store)
        began, busy = monotonic(), thread_time()
        marks = changes.marks()
        pause = (thread_time() - busy) / SHARE if self.fresh_seconds else 0.0
        return _Look(store, changes, marks, began, monotonic(), pause)

    def _current(self) -> Store:
        if self._store is not None and self._inode != self._inode_now():
            # Other threads may still read it, so it is closed at the end only.
            self._former.append(self._store)
            self._store = None
        if self._store is None:
            self._store = Store.open(self._address, create=True)
            self.waits.watch(self._store.optuna_storage.engine)
            self._inode = self._inode_now()
        return self._store

    def _inode_now(self) -> tuple[int, int] | None:
        if self._file is None:
            return None
        try:
            seen = self._file.stat()
        except OSError:
            return None
        return seen.st_dev, seen.st_ino
