"""Publishes in the store what the driver does: its progress, and the time that a batch has taken."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from time import monotonic

from autokd.config.base import content_hash
from autokd.search.progress import Progress
from autokd.store import Store


def with_heartbeat(
    store: Store, listen: Callable[[Progress], None], *, seconds: float = 5.0
) -> Callable[[Progress], None]:
    """Return a listener that also writes the progress to the store, where `autokd status` reads it.

    Args:
        seconds: Time between two heartbeats; each is one small transaction.
    """
    last = -math.inf

    def notify(progress: Progress) -> None:
        nonlocal last
        if monotonic() - last >= seconds:
            last = monotonic()
            names = ("ended", "left", "per_second", "seconds_left")
            store.leases.heartbeat({name: getattr(progress, name) for name in names})
        listen(progress)

    return notify


class BatchClock:
    """Keeps in the store how many seconds commands have worked on a batch, so that a killed one goes on.

    Args:
        lead: Seconds that this command has taken until now.

    Attributes:
        before: Seconds of earlier commands, and of this one until now.
    """

    def __init__(
        self, store: Store, studies: Sequence[str], *, lead: float = 0.0, every: float = 5.0
    ) -> None:
        self._store, self._every, self._last = store, every, 0.0
        # One of the studies keeps it for all; other batches may share that study.
        self._keeper, self._batch = min(studies), content_hash(*sorted(studies))
        self.before = store.seconds_spent(self._keeper, self._batch) + lead

    def with_time(self, listen: Callable[[Progress], None]) -> Callable[[Progress], None]:
        """Return a listener that also stores the time, every few seconds."""

        def notify(progress: Progress) -> None:
            if progress.seconds - self._last >= self._every:
                self.stop(progress)
            listen(progress)

        return notify

    def stop(self, progress: Progress) -> None:
        """Store the time so far; a command that found nothing to do took none."""
        if progress.ended or progress.live:
            self._last = progress.seconds
            self._store.put_seconds_spent(self._keeper, self._batch, self.before + progress.seconds)
