"""Bounds how often somebody may ask: a bucket that fills with time, and that each request takes from."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from time import monotonic
from typing import Final

_MOST: Final = 10_000
"""Buckets that are kept; the one that was used longest ago goes first."""


class Rates:
    """A bucket for each key.

    Args:
        per_second: Requests that a bucket allows in the long run.
        burst: Requests that a full bucket allows at once.
        clock: Seconds that only grow.
    """

    def __init__(self, per_second: float, burst: float, clock: Callable[[], float] = monotonic) -> None:
        self._per_second, self._burst, self._clock = per_second, max(burst, 1.0), clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = Lock()

    def wait(self, key: str) -> float:
        """Take one request from a bucket; return 0, or the seconds until it has one again."""
        with self._lock:
            left, now = self._left(key)
            if left < 1:
                return (1 - left) / self._per_second
            self._put(key, left - 1, now)
            return 0.0

    def is_empty(self, key: str) -> bool:
        """Return whether a bucket has no request left; none is taken."""
        with self._lock:
            return self._left(key)[0] < 1

    def _left(self, key: str) -> tuple[float, float]:
        now = self._clock()
        left, then = self._buckets.get(key, (self._burst, now))
        return min(self._burst, left + (now - then) * self._per_second), now

    def _put(self, key: str, left: float, now: float) -> None:
        self._buckets[key] = left, now
        self._buckets.move_to_end(key)
        while len(self._buckets) > _MOST:
            self._buckets.popitem(last=False)
