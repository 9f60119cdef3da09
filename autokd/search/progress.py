"""How far a search is, as plain numbers for a display; computed from states of the store alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from autokd.config.space import sweep_epochs
from autokd.config.study import StudyConfig
from autokd.core.records import Stage, TrialOrigin, TrialRecord, TrialState
from autokd.core.setting import Pair, Setting
from autokd.search.asha import is_exempt
from autokd.search.budget import trials_used
from autokd.search.eta import NOTHING, Load, epochs_of_a_trial, forecast, runs_of_a_confirmation
from autokd.search.next_work import PairSearch, baseline_failed, pending_runs


@dataclass(frozen=True, slots=True)
class Conclusion:
    """How a pair was judged.

    Attributes:
        gain: Of the judged setting on test, in pp; None if there was nothing to judge.
    """

    verdict: str
    gain: float | None


@dataclass(frozen=True, slots=True)
class StudyProgress:
    """One pair.

    Attributes:
        counts: Trials by state; states without a trial are absent.
        baseline: Validation accuracy of the default setting so far, in [0, 1].
        best: The best COMPLETE trial's validation accuracy so far, and its setting.
        epochs: Spent by trials, and by race and confirmation runs.
        runs: Race and confirmation runs that have ended.
        conclusion: Once nothing is left to do for the pair's meeting.
    """

    pair: Pair
    counts: Mapping[TrialState, int]
    baseline: float | None
    best: tuple[float, Setting] | None
    epochs: int
    runs: int
    conclusion: Conclusion | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """All pairs that are being tuned.

    Attributes:
        live: Runs under way.
        ended: Runs that ended since the command began.
        left: Runs still to be done, those under way included; an estimate, since the race may need fewer.
        epochs_left: Epochs of these runs; an estimate, since trials may be stopped early.
        seconds: Since the command began.
        done: What ended since the first run did.
        training: The share of the workers' time since then that went into training, in [0, 1].
        waited: Of these, until the first run had ended: mostly workers that started.
        sweep_epochs: What the frozen grid would cost on these pairs.
    """

    studies: tuple[StudyProgress, ...]
    live: int
    ended: int
    left: int
    seconds: float
    waited: float = 0.0
    sweep_epochs: int = 0
    epochs_left: float = 0.0
    done: Load = NOTHING
    training: float = 0.0

    @property
    def per_second(self) -> float | None:
        """Runs that end in a second, since the first one did; None before there is a second one."""
        lasted = self.seconds - self.waited
        return (self.ended - 1) / lasted if self.ended > 1 and lasted > 0 else None

    @property
    def seconds_left(self) -> float | None:
        """At the pace so far; None before there is one."""
        left = Load(self.left, self.epochs_left)
        return forecast(self.done, left, seconds=self.seconds - self.waited, training=self.training)


def survey(
    plan: StudyConfig,
    meetings: Sequence[Sequence[PairSearch]],
    *,
    over: Sequence[StudyProgress] = (),
    live: int,
    ended: int,
    seconds: float,
    waited: float = 0.0,
    done: Load = NOTHING,
    training: float = 0.0,
) -> Progress:
    """Return the progress of a batch: of open meetings, and of the studies of finished ones (`over`)."""
    studies = (*over, *(study_progress(search) for meeting in meetings for search in meeting))
    after = runs_of_a_confirmation(plan, [study.runs for study in over if study.baseline is not None])
    left = sum((_left(plan, meeting, after) for meeting in meetings), NOTHING)
    return Progress(
        studies=studies,
        live=live,
        ended=ended,
        left=round(left.runs),
        epochs_left=left.epochs,
        seconds=seconds,
        waited=waited,
        done=done,
        training=training,
        sweep_epochs=sweep_epochs(plan, len(studies)),
    )


def study_progress(search: PairSearch, conclusion: Conclusion | None = None) -> StudyProgress:
    """Return the progress of one pair."""
    trials, runs = search.records.trials, search.records.runs
    complete = [trial for trial in trials if trial.state is TrialState.COMPLETE]
    baseline = next((trial for trial in complete if trial.role is TrialOrigin.BASELINE), None)
    best = max(complete, key=_accuracy, default=None)
    return StudyProgress(
        pair=search.pair,
        counts=Counter(trial.state for trial in trials),
        baseline=_accuracy(baseline) if baseline else None,
        best=(_accuracy(best), best.setting) if best else None,
        epochs=sum(trial.epochs for trial in trials) + sum(run.epochs for run in runs),
        runs=len(runs),
        conclusion=conclusion,
    )


def _accuracy(trial: TrialRecord) -> float:
    return trial.accuracy or 0.0


def _left(plan: StudyConfig, meeting: Sequence[PairSearch], after: float) -> Load:
    """Return what is left of a meeting: trials up to the budget, then race and confirmation.

    Args:
        after: Expected number of race and confirmation runs of a pair.
    """
    alive = [search for search in meeting if not search.trials or not baseline_failed(search.trials)]
    searching = [search for search in alive if not search.exhausted]
    new = max(0, plan.search.trials * len(searching) - sum(trials_used(each.trials) for each in searching))
    running = [trial for search in alive for trial in search.trials if trial.state is TrialState.RUNNING]
    full = plan.rungs[-1]
    if not new and not running:
        pending = sum(_pending(plan, search) for search in alive)
        return Load(pending, pending * full)
    early = epochs_of_a_trial(plan, [trial for search in meeting for trial in search.trials])
    stopping = plan.search.stopping
    exempt = min(new, sum(max(0, stopping.grace - len(search.trials)) for search in searching))
    in_progress = sum(
        max(0.0, (full if is_exempt(stopping, trial) else early) - trial.epochs) for trial in running
    )
    later = sum(max(0.0, after - len(search.records.runs)) for search in alive)
    return Load(
        new + len(running) + later, exempt * full + (new - exempt) * early + in_progress + later * full
    )


def _pending(plan: StudyConfig, search: PairSearch) -> int:
    """Return the number of runs after the search that have not ended."""
    specs = pending_runs(plan, replace(search, live={}), search.seeds)
    racing = any(spec.stage is Stage.RACE for spec in specs)
    # The winner's confirmation runs join these as soon as there is a winner.
    return len(specs) + (plan.confirmation.seeds if racing else 0)
