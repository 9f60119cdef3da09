"""How a caller follows a long call: the methods of `Callbacks`, called on its way."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from autokd.core.records import TrialRecord
    from autokd.execution.run_queue import RunQueueProgress
    from autokd.search.expected import ExpectedCost
    from autokd.search.progress import Progress
    from autokd.store import Outage


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedTrials:
    """A pair that was judged, with the trials that no earlier call of `on_verdict` had.

    Attributes:
        study: Name of its study.
        pair: The pair in words, by names where there are some.
        trials: Trials that have ended, by number.
        recommendation: The stored recommendation, as `Recommendation.to_json` writes it.
        earlier: The trials before them, by number. A command that was killed may have told nobody of them.
    """

    study: str
    pair: str
    trials: tuple[TrialRecord, ...]
    recommendation: Mapping[str, Any]
    earlier: tuple[TrialRecord, ...] = ()


class Callbacks:
    """What a long call reports while it runs; override the methods that you need.

    Every method is called in the thread of the call and must not raise. Notices for the user, e.g. that
    images do not fit into memory, are log records of the logger `autokd` instead.
    """

    def on_prepare(self, done: int, total: int) -> None:
        """Called when pre-training starts and after each participant."""

    def approves(self, expected: Callable[[], ExpectedCost]) -> bool:
        """Called before a batch of several meetings begins; if it returns False, nothing is run.

        Args:
            expected: What the batch is expected to take; finding out may need an epoch to be timed.
        """
        return True

    def on_search(self, progress: Progress) -> None:
        """Called when a search starts and after each change of it."""

    def on_sweep(self, progress: RunQueueProgress) -> None:
        """Called when a sweep starts and after each of its runs."""

    def on_explain(self, progress: RunQueueProgress) -> None:
        """Called when the runs of the alternatives start and after each of them."""

    def on_distill(self, done: int, total: int) -> None:
        """Called when a single run starts and after each of its epochs."""

    def on_outage(self, outage: Outage | None) -> None:
        """Called after each attempt to reach a database that is away; with None when it answers again."""

    def on_stopping(self) -> None:
        """Called at the first Ctrl-C, or at a request by `stop`, which end the runs at their next report."""

    def on_waiting(self, owners: Sequence[str], seconds: float) -> None:
        """Called while `stop` waits: with the drivers that have not ended, and for how long it has waited."""

    def on_verdict(self, judged: JudgedTrials) -> None:
        """Called when a pair is judged, with its trials and its recommendation."""

    def on_end(self) -> None:
        """Called at the end of a call that has runs done, also after an error."""


class CallbackList(Callbacks):
    """Several callbacks, each called in its turn."""

    def __init__(self, callbacks: Iterable[Callbacks]) -> None:
        self._all = tuple(callbacks)

    def on_prepare(self, done: int, total: int) -> None:
        for callbacks in self._all:
            callbacks.on_prepare(done, total)

    def approves(self, expected: Callable[[], ExpectedCost]) -> bool:
        return all(callbacks.approves(expected) for callbacks in self._all)

    def on_search(self, progress: Progress) -> None:
        for callbacks in self._all:
            callbacks.on_search(progress)

    def on_sweep(self, progress: RunQueueProgress) -> None:
        for callbacks in self._all:
            callbacks.on_sweep(progress)

    def on_explain(self, progress: RunQueueProgress) -> None:
        for callbacks in self._all:
            callbacks.on_explain(progress)

    def on_distill(self, done: int, total: int) -> None:
        for callbacks in self._all:
            callbacks.on_distill(done, total)

    def on_outage(self, outage: Outage | None) -> None:
        for callbacks in self._all:
            callbacks.on_outage(outage)

    def on_stopping(self) -> None:
        for callbacks in self._all:
            callbacks.on_stopping()

    def on_waiting(self, owners: Sequence[str], seconds: float) -> None:
        for callbacks in self._all:
            callbacks.on_waiting(owners, seconds)

    def on_verdict(self, judged: JudgedTrials) -> None:
        for callbacks in self._all:
            callbacks.on_verdict(judged)

    def on_end(self) -> None:
        for callbacks in self._all:
            callbacks.on_end()
