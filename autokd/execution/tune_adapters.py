"""Thin shells that plug the queue into Ray Tune: a Searcher over many studies, one ASHA per study.

Tune's rules that shape them (ray 2.60):

* A hook must not raise: from `on_trial_complete` Tune would report a finished trial again as an error, from
  `on_trial_result` it would end the experiment half-way. So every hook is guarded: the first exception is
  kept for the driver, and the experiment is asked to stop.
* `FINISHED` is irrevocable, so it is returned only when nothing is live and nothing is left.
* Tune pickles searcher and scheduler into its experiment directory. The shells pickle as empty ones: what
  they hold (the store with its URL) has no business there.
"""

from __future__ import annotations

import functools
import logging
import math
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar, cast

from ray.tune import Stopper
from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from autokd.core.records import Failure
from autokd.core.run_spec import RunFailure
from autokd.errors import WorkersLost
from autokd.execution.run_context import ANSWER, NOTICE
from autokd.execution.run_queue import RunQueue

_log = logging.getLogger(__name__)

# NOTE: Tune's hook is typed as giving a dict, yet compares what it gives to this string.
_FINISHED = cast(dict[str, Any], Searcher.FINISHED)
_LOST_IN_A_ROW = 8
"""After so many at least, and four for every one at work, it is no longer bad luck."""
_P = ParamSpec("_P")
_T = TypeVar("_T")


class DriverState:
    """What Searcher, scheduler and stopper of one experiment share: the queue and the stop flag.

    Args:
        queue: Knows the studies, and records.
        max_in_flight: How many runs may be handed out and not ended, as the cluster is now.
        most: Runs to hand out; then the experiment ends, finished or not, since Tune forgets none of them.

    Attributes:
        handed_out: Runs so far.
        stopping: Tune is to stop every run at its next report.
        error: The first exception out of a hook; the driver raises it once Tune has returned.
        reasons: Why a worker was lost, by run, until the Searcher is told of it.
        lost: Resources lost since one last said something.
        widest: The most that `max_in_flight` has been so far.
    """

    def __init__(
        self,
        queue: RunQueue | None,
        *,
        max_in_flight: Callable[[], int] = lambda: 2,
        most: float = math.inf,
    ) -> None:
        self._queue, self._most_live, self.most = queue, max_in_flight, most
        self._noticed: set[str] = set()
        self.widest = 1
        self.handed_out = 0
        self.stopping = False
        self.error: Exception | None = None
        self.reasons: dict[str, str] = {}
        self.lost = 0

    @property
    def queue(self) -> RunQueue:
        if self._queue is None:
            raise RuntimeError("this state came out of a pickle; the store is the only truth, start anew")
        return self._queue

    @property
    def is_full(self) -> bool:
        """As many runs are live as may be."""
        most = self._most_live()
        self.widest = max(self.widest, most)
        return self.queue.live >= most

    def hear(self, result: Mapping[str, Any]) -> None:
        """Log what a worker reports for the user, each text once."""
        notice = result.get(NOTICE, "")
        if notice and notice not in self._noticed:
            self._noticed.add(notice)
            _log.warning(notice)

    def __reduce__(self) -> tuple[object, ...]:
        return (_empty_state, ())


def _empty_state() -> DriverState:
    return DriverState(None)


def _guarded(otherwise: Any) -> Callable[[Callable[_P, _T]], Callable[_P, _T]]:
    """Make a hook of an object with a `state` answer `otherwise` rather than raise, then and ever after."""

    def decorate(hook: Callable[_P, _T]) -> Callable[_P, _T]:
        @functools.wraps(hook)
        def guarded(*args: _P.args, **kwargs: _P.kwargs) -> _T:
            state: DriverState = cast(Any, args[0]).state
            if state.error is None:
                try:
                    return hook(*args, **kwargs)
                except Exception as error:
                    state.error, state.stopping = error, True
            answer: _T = otherwise
            return answer

        return guarded

    return decorate


class QueueSearcher(Searcher):
    """Asks the queue for each new run and tells it how each one ended.

    It limits itself to what the cluster holds now, so that nodes that join are used: Tune's own limit would
    be fixed for the whole experiment.
    """

    def __init__(self, state: DriverState) -> None:
        super().__init__()
        self.state = state

    def set_max_concurrency(self, max_concurrent: int) -> bool:
        return True

    @_guarded(otherwise=Searcher.FINISHED)
    def suggest(self, trial_id: str) -> dict[str, Any] | None:
        queue = self.state.queue
        if self.state.stopping or self.state.handed_out >= self.state.most:
            # With nothing live Tune would block on None for ten minutes.
            return None if queue.live else _FINISHED
        if self.state.is_full:
            return None
        given = queue.assign(trial_id)
        if given is not None:
            self.state.handed_out += 1
            return given.to_config()
        return _FINISHED if queue.finished else None

    @_guarded(otherwise=None)
    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        if error or result is None or ANSWER not in result:
            reason = self.state.reasons.pop(trial_id, "the worker was lost")
            self.state.queue.end(trial_id, RunFailure(Failure.INFRASTRUCTURE, reason))
            self._give_up_if_hopeless(reason)
        else:
            self.state.lost = 0
            self.state.hear(result)
            self.state.queue.end(trial_id, result[ANSWER])

    def _give_up_if_hopeless(self, reason: str) -> None:
        self.state.lost += 1
        # NOTE: of all that were there, since a node that leaves takes all its workers with it at once.
        if self.state.lost >= max(_LOST_IN_A_ROW, 4 * self.state.widest):
            raise WorkersLost(
                f"{self.state.lost} workers in a row were lost before any said a word; the last: "
                f"{reason.splitlines()[0]} (Ray's own logs are in /tmp/ray/session_latest/logs)"
            )

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Nothing: the scheduler hears every report, this hook only those of trials that go on."""

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the store is the only truth, and Tune is never asked to restore."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing, likewise."""


class QueueScheduler(FIFOScheduler):
    """Passes each report to the queue, which compares it within its own study only."""

    def __init__(self, state: DriverState) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.state = state

    @_guarded(otherwise=TrialScheduler.STOP)
    def on_trial_result(self, tune_controller: object, trial: Trial, result: dict[str, Any]) -> str:
        self.state.lost = 0
        self.state.hear(result)
        should_continue = self.state.queue.report(trial.trial_id, result[ANSWER])
        return str(TrialScheduler.CONTINUE if should_continue else TrialScheduler.STOP)

    @_guarded(otherwise=None)
    def on_trial_error(self, tune_controller: object, trial: Trial) -> None:
        """Keep the reason: Tune tells the Searcher only that there was an error."""
        error = trial.get_error()
        if error is not None:
            self.state.reasons[trial.trial_id] = f"{type(error).__name__}: {str(error).strip()}"


class StopFlag(Stopper):
    """Ends the experiment at the next report when the state says so."""

    def __init__(self, state: DriverState) -> None:
        self.state = state

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return False

    def stop_all(self) -> bool:
        return self.state.stopping
