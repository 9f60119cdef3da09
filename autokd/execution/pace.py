"""The pace of the driver: how much work has ended, in how much time."""

from __future__ import annotations

from time import monotonic
from typing import Final

from autokd.core.price import NOTHING, Load

_FEW: Final = 5
"""Number of ended runs that show a pace."""
_AROUND: Final = 5.0
"""Seconds that a command takes before the driver begins and after its last run: Python starts, Ray ends."""
_JUDGING: Final = 0.1
"""Seconds in which a pair is judged and published, as long as none was."""


class Pace:
    """Measures what the forecast needs. The first run only marks the end of the workers' start.

    Attributes:
        ended: Number of runs that have ended.
        waited: Seconds until the first of them had ended.
        done: Work of the others.
        most_live: Largest number of runs in progress at once.
    """

    def __init__(self) -> None:
        self._began, self._trained = monotonic(), 0.0
        self.ended, self.waited, self.done, self.most_live = 0, 0.0, NOTHING, 1
        self._judged, self._judging = 0, 0.0

    @property
    def seconds(self) -> float:
        """Seconds since the command began."""
        return float(monotonic() - self._began)

    @property
    def training(self) -> float:
        """Share of the workers' time that went into training; one run in progress waits for a worker."""
        time = max(1, self.most_live - 1) * (self.seconds - self.waited)
        return min(1.0, self._trained / time) if time > 0 else 0.0

    def add(self, load: Load, seconds: float) -> None:
        """Count a run that has ended."""
        self.ended += 1
        if self.ended == 1:
            self.waited = self.seconds
            return
        self.done += load
        self._trained += seconds

    def add_judged(self, pairs: int, seconds: float) -> None:
        """Count pairs that were judged and published."""
        self._judged += pairs
        self._judging += seconds

    def ending(self, pairs: int) -> float:
        """Return the seconds that a command needs after its last run, with so many pairs to be judged."""
        return _AROUND + pairs * (self._judging / self._judged if self._judged else _JUDGING)

    @property
    def examples_per_second(self) -> float | None:
        """Training examples a second since the first run ended; None before a few more have ended."""
        seconds = self.seconds - self.waited
        return self.done.examples / seconds if self.done.runs >= _FEW and seconds > 0 else None
