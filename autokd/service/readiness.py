"""Whether the service can do its work: what it needs is looked at by other threads, since a look may hang."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Lock, Thread
from time import monotonic
from typing import Final, final

from autokd.errors import AutokdError
from autokd.service.opened_store import FRESH_SECONDS, OpenedStore
from autokd.service.settings import ServiceSettings

_DISK_BYTES: Final = 100 * 2**20
"""With less room on the disk of the home, the service is not ready."""
_PATIENCE: Final = 3.0
"""Seconds after which what has not answered counts as away."""
_log = logging.getLogger(__name__)


@final
class Readiness:
    """What is looked at for `/readyz`.

    Args:
        fresh_seconds: How long an answer holds: anybody may ask, as often as they like.
        patience: Seconds that a look may take.
    """

    def __init__(
        self,
        settings: ServiceSettings,
        opened: OpenedStore,
        *,
        fresh_seconds: float = FRESH_SECONDS,
        patience: float = _PATIENCE,
    ) -> None:
        self._patience = patience
        self._checks = {
            "store": _Check(lambda: _store_answers(opened), fresh_seconds),
            "disk": _Check(lambda: _has_room(settings.home), fresh_seconds),
        }
        if settings.ray_address is not None and settings.jobs:
            address = settings.ray_address
            self._checks["ray"] = _Check(lambda: _ray_answers(address), fresh_seconds)

    def answers(self) -> Mapping[str, bool]:
        """Return yes or no to each check, by name; this takes little longer than `patience` at most."""
        looks = [(check, check.begin()) for check in self._checks.values()]
        until = monotonic() + self._patience
        for check, look in looks:
            if look is not None:
                look.join(max(0.0, until - monotonic()))
                check.give_up(look)
        return {name: check.is_fine for name, check in self._checks.items()}


@final
class _Check:
    """One question; one thread at a time looks for its answer, and who asks meanwhile gets the last one.

    Attributes:
        is_fine: The last answer; no while the look for a newer one takes too long.
    """

    def __init__(self, holds: Callable[[], bool], fresh_seconds: float) -> None:
        self._holds, self._fresh = holds, fresh_seconds
        self.is_fine, self._looked = False, -1e9
        self._look: Thread | None = None
        self._lock = Lock()

    def begin(self) -> Thread | None:
        """Begin to look unless somebody does, or has just looked; return the thread that does."""
        with self._lock:
            if self._look is not None or monotonic() - self._looked < self._fresh:
                return None
            self._look = Thread(target=self._run, name="autokd-ready", daemon=True)
            self._look.start()
            return self._look

    def give_up(self, look: Thread) -> None:
        """Take no for the answer if this thread has not ended."""
        with self._lock:
            if self._look is look:
                self.is_fine = False

    def _run(self) -> None:
        try:
            is_fine = self._holds()
        except Exception:
            _log.exception("whether the service is ready")
            is_fine = False
        with self._lock:
            self.is_fine, self._looked, self._look = is_fine, monotonic(), None


def _store_answers(opened: OpenedStore) -> bool:
    try:
        opened.store.federations()
    except AutokdError:
        return False
    return True


def _has_room(home: Path) -> bool:
    while not home.exists() and home != home.parent:
        home = home.parent
    try:
        return os.access(home, os.W_OK) and shutil.disk_usage(home).free >= _DISK_BYTES
    except OSError:
        return False


def _ray_answers(address: str) -> bool:
    # Imported here: most services have no cluster.
    from autokd.compute.ray_cluster import check_answers

    try:
        check_answers(address)
    except AutokdError:
        return False
    return True
