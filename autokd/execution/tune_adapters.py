"""Adapters that connect a `RunQueue` to Ray Tune: a searcher, a scheduler and a stopper.

They are shaped by these rules of Tune (ray 2.60):

* A hook must not raise: from `on_trial_complete` Tune would report a finished trial again as an error, from
  `on_trial_result` it would end the experiment half-way. So every hook is guarded: the first exception is
  kept for the driver, and the experiment stops.
* `FINISHED` cannot be taken back, so it is returned only when no run is in progress and none is left.
* Tune pickles searcher and scheduler into its experiment directory. The adapters pickle without their state,
  since the store and its URL must not get there.
"""

from __future__ import annotations

import functools
import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, ParamSpec, TypeVar, cast

from ray.tune import Stopper
from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from autokd.compute.ray_cluster import logs
from autokd.core.records import Failure
from autokd.core.run_spec import RunFailure
from autokd.errors import WorkersLost
from autokd.execution.run_context import ANSWER, LOGITS, NOTICE
from autokd.execution.run_queue import RunQueue

_log = logging.getLogger(__name__)

# NOTE: Tune's hook is typed to return a dict, but Tune compares its result to this string.
_FINISHED = cast(dict[str, Any], Searcher.FINISHED)
_LOST_IN_A_ROW = 8
"""Least number of workers lost in a row, without a report in between, that ends the experiment."""
_P = ParamSpec("_P")
_T = TypeVar("_T")


class DriverState:
    """The state that searcher, scheduler and stopper of an experiment share: the queue and the stop flag.

    Args:
        max_in_flight: Returns how many runs may be in progress on the cluster as it is now.
        most: Number of runs after which the experiment ends, finished or not, since Tune keeps all in memory.
        asked_to_stop: Returns whether somebody has asked this driver to stop, from another terminal.
        on_stopping: Called when the runs are told to stop.

    Attributes:
        handed_out: Number of runs handed out in this experiment.
        stopping: Whether every run is to stop at its next report.
        error: First exception of a hook; the driver raises it when Tune has returned.
        reasons: Why a worker was lost, by run, until the searcher records it.
        lost: Number of workers lost since the last report of any worker.
        widest: Largest value of `max_in_flight` so far.
    """

    def __init__(
        self,
        queue: RunQueue | None,
        *,
        max_in_flight: Callable[[], int] = lambda: 2,
        most: float = math.inf,
        asked_to_stop: Callable[[], bool] = lambda: False,
        on_stopping: Callable[[], None] = lambda: None,
    ) -> None:
        self._queue, self._max_in_flight, self.most = queue, max_in_flight, most
        self._asked_to_stop, self._on_stopping = asked_to_stop, on_stopping
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
            raise RuntimeError("this state was unpickled and has no queue; start a new experiment")
        return self._queue

    @property
    def is_full(self) -> bool:
        """Whether as many runs are in progress as may be."""
        most = self._max_in_flight()
        self.widest = max(self.widest, most)
        return self.queue.live >= most

    def stop(self) -> None:
        """Tell every run to stop at its next report."""
        if not self.stopping:
            self.stopping = True
            self._on_stopping()

    def lose(self, error: Exception) -> None:
        """Stop with an error, unless there was one before."""
        self.error = self.error or error
        self.stopping = True

    def lose_ray(self, error: Exception) -> None:
        """Stop with an error, unless the command is stopping: who ended it may have ended Ray, too."""
        if not self.stopping:
            self.lose(error)

    def stop_if_asked(self) -> None:
        """Look whether somebody has asked this driver to stop."""
        if not self.stopping and self._asked_to_stop():
            self.stop()

    def log_notice(self, result: Mapping[str, Any]) -> None:
        """Log what a worker reports for the user, each text once."""
        notice = result.get(NOTICE, "")
        if notice and notice not in self._noticed:
            self._noticed.add(notice)
            _log.warning(notice)

    def __reduce__(self) -> tuple[object, ...]:
        return (DriverState, (None,))


def _guarded(otherwise: Any) -> Callable[[Callable[_P, _T]], Callable[_P, _T]]:
    """Make a hook of an object with a `state` return `otherwise` from its first exception on."""

    def decorate(hook: Callable[_P, _T]) -> Callable[_P, _T]:
        @functools.wraps(hook)
        def guarded(*args: _P.args, **kwargs: _P.kwargs) -> _T:
            state: DriverState = cast(Any, args[0]).state
            if state.error is None:
                try:
                    return hook(*args, **kwargs)
                except Exception as error:
                    state.error, state.stopping = error, True
            result: _T = otherwise
            return result

        return guarded

    return decorate


class QueueSearcher(Searcher):
    """Takes each new run from the queue, and passes each result to it.

    It hands out as many runs as the cluster holds now, so that nodes that join are used: Tune's own limit is
    fixed for the whole experiment.
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
            # With no run in progress Tune would block on None for ten minutes.
            return None if queue.live else _FINISHED
        if self.state.is_full:
            return None
        spec = queue.assign(trial_id)
        if spec is not None:
            self.state.handed_out += 1
            return spec.to_config()
        return _FINISHED if queue.finished else None

    @_guarded(otherwise=None)
    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        state = self.state
        if not (error or result is None or ANSWER not in result):
            state.lost = 0
            state.log_notice(result)
            answer = result[ANSWER]
            if LOGITS in result:
                answer = replace(answer, logits=result[LOGITS].take())
            state.queue.end(trial_id, answer)
            return
        reason = state.reasons.pop(trial_id, "the worker was lost")
        state.queue.end(trial_id, RunFailure(Failure.INFRASTRUCTURE, reason))
        state.lost += 1
        # NOTE: The bound grows with the workers: a node that leaves takes all its workers with it.
        if state.lost >= max(_LOST_IN_A_ROW, 4 * state.widest):
            raise WorkersLost(
                f"{state.lost} workers in a row were lost before any of them reported; the last: "
                f"{reason.splitlines()[0]} (Ray's own logs are in {logs()})"
            )

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Do nothing: the scheduler gets every report, this hook only those of trials that continue."""

    def save(self, checkpoint_path: str) -> None:
        """Do nothing: the store has everything, and Tune never restores an experiment."""

    def restore(self, checkpoint_path: str) -> None:
        """Do nothing, as in `save`."""


class QueueScheduler(FIFOScheduler):
    """Passes each report to the queue, which decides within the trial's own study whether it continues."""

    def __init__(self, state: DriverState) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.state = state

    @_guarded(otherwise=TrialScheduler.STOP)
    def on_trial_result(self, tune_controller: object, trial: Trial, result: dict[str, Any]) -> str:
        self.state.lost = 0
        self.state.log_notice(result)
        continues = self.state.queue.report(trial.trial_id, result[ANSWER])
        return str(TrialScheduler.CONTINUE if continues else TrialScheduler.STOP)

    @_guarded(otherwise=None)
    def on_trial_error(self, tune_controller: object, trial: Trial) -> None:
        """Keep the reason: Tune passes to the searcher only that there was an error."""
        error = trial.get_error()
        if error is not None:
            self.state.reasons[trial.trial_id] = f"{type(error).__name__}: {str(error).strip()}"


class StopFlag(Stopper):
    """Ends the experiment at the next report once `stopping` is set; Tune asks it ten times a second."""

    def __init__(self, state: DriverState) -> None:
        self.state = state

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return False

    def stop_all(self) -> bool:
        self.state.stop_if_asked()
        return self.state.stopping
