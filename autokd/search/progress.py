"""Progress of a search as plain numbers for a display, computed from the stored records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from autokd.config.study import StudyConfig
from autokd.core.records import Stage, TrialOrigin, TrialRecord, TrialState
from autokd.core.setting import AnyPair, Setting
from autokd.recommendation.race import arms_to_come, pending
from autokd.search.asha import is_exempt
from autokd.search.asked import asked_left
from autokd.search.budget import trials_used
from autokd.search.eta import (
    NOTHING,
    Load,
    epochs_of_a_trial,
    expected_arms,
    forecast,
    runs_of_a_confirmation,
    trials_of_a_search,
)
from autokd.search.next_work import PairSearch, baseline_failed


@dataclass(frozen=True, slots=True)
class VerdictSummary:
    """The verdict of a pair in short.

    Attributes:
        gain: Gain of the judged setting on test, in pp; None if there was nothing to judge.
    """

    verdict: str
    gain: float | None


@dataclass(frozen=True, slots=True)
class StudyProgress:
    """The progress of one pair.

    Attributes:
        counts: Number of trials by state; states without a trial are absent.
        baseline: Validation accuracy of the default setting so far, in [0, 1].
        best: Validation accuracy and setting of the best COMPLETE trial so far.
        epochs: Epochs of trials, race and confirmation so far.
        runs: Number of race and confirmation runs that have ended.
        conclusion: The verdict, once nothing is left to do for the pair's meeting.
    """

    pair: AnyPair
    counts: Mapping[TrialState, int]
    baseline: float | None
    best: tuple[float, Setting] | None
    epochs: int
    runs: int
    conclusion: VerdictSummary | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of all pairs that are being tuned.

    Attributes:
        live: Number of runs in progress.
        ended: Number of runs that ended since the command began.
        left: Estimated number of runs to be done, with those in progress; the race may need fewer.
        epochs_left: Estimated epochs of these runs; trials may be stopped early.
        seconds: Seconds since the command began.
        done: Work that ended since the first run did.
        training: Share of the workers' time since then that went into training, in [0, 1].
        waited: Seconds until the first run had ended, mostly the start of the workers.
        sweep_epochs: Epochs of a sweep of the grid `poster_sweep` over these pairs.
        sweep_budget: Epochs of each of its runs where the search has longer ones than usual; else None.
    """

    studies: tuple[StudyProgress, ...]
    live: int
    ended: int
    left: int
    seconds: float
    waited: float = 0.0
    sweep_epochs: int = 0
    sweep_budget: int | None = None
    epochs_left: float = 0.0
    done: Load = NOTHING
    training: float = 0.0

    @property
    def per_second(self) -> float | None:
        """Runs per second since the first one ended; None before a second one has ended."""
        duration = self.seconds - self.waited
        return (self.ended - 1) / duration if self.ended > 1 and duration > 0 else None

    @property
    def seconds_left(self) -> float | None:
        """Expected seconds for the rest at the pace so far; None before there is a pace."""
        left = Load(self.left, self.epochs_left)
        return forecast(self.done, left, seconds=self.seconds - self.waited, training=self.training)


def study_progress(search: PairSearch, conclusion: VerdictSummary | None = None) -> StudyProgress:
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


def work_left(
    config: StudyConfig,
    meetings: Iterable[Sequence[PairSearch]],
    finished: Iterable[StudyProgress],
    budgets: Sequence[int] = (),
) -> Load:
    """Return the expected work that is left of open meetings, with the runs in progress.

    Args:
        finished: Pairs of closed meetings; they show how many runs a confirmation takes.
        budgets: Epochs that a trial may have; by default the recipe's.
    """
    meetings, judged = list(meetings), [study for study in finished if study.baseline is not None]
    raced = any(search.records.rule == 1 for meeting in meetings for search in meeting)
    arms = expected_arms(search.records for meeting in meetings for search in meeting)
    after = runs_of_a_confirmation(config, [study.runs for study in judged], with_race=raced, arms=arms)
    trials = trials_of_a_search(config, [sum(study.counts.values()) for study in judged])
    full = sum(budgets) / len(budgets) if budgets else config.rungs[-1]
    # One of the arms is the default, which has the recipe's budget.
    confirmation = Load(after, after * (config.rungs[-1] + (arms - 1) * full) / arms)
    return sum((_left(config, meeting, trials, confirmation, budgets, full) for meeting in meetings), NOTHING)


def _left(
    config: StudyConfig,
    meeting: Sequence[PairSearch],
    trials: float,
    confirmation: Load,
    budgets: Sequence[int],
    full: float,
) -> Load:
    """Return what is left of a meeting if each pair gets so many trials, and a confirmation after them.

    Args:
        full: Mean of the budgets that a setting may have.
    """
    alive = [search for search in meeting if not search.trials or not baseline_failed(search.trials)]
    searching = [search for search in alive if search.is_open(config.search)]
    by_itself = all(search.records.rule > 1 for search in searching)
    most = trials if by_itself else config.search.trials
    used = sum(trials_used(search.trials) for search in searching)
    asked = sum(len(asked_left(config, search.trials)) for search in alive)
    new = max(float(asked), most * len(searching) - used)
    running = [trial for search in alive for trial in search.trials if trial.state is TrialState.RUNNING]
    stopping = config.search.stopping
    if not new and not running:
        loads = [_load_after_search(config, search, confirmation, full) for search in alive]
        return sum(loads, NOTHING)
    early = epochs_of_a_trial(config, [trial for search in meeting for trial in search.trials], budgets)
    exempt = min(new, sum(max(0, stopping.grace - len(search.trials)) for search in searching))
    exempt = max(exempt, asked)
    in_progress = sum(
        max(0.0, (config.budget(trial.setting) if is_exempt(stopping, trial) else early) - trial.epochs)
        for trial in running
    )
    later = sum(max(0.0, confirmation.runs - len(search.records.runs)) for search in alive)
    each = confirmation.epochs / confirmation.runs
    epochs = exempt * full + (new - exempt) * early + in_progress + later * each
    return Load(new + len(running) + later, epochs)


def _load_after_search(config: StudyConfig, search: PairSearch, confirmation: Load, full: float) -> Load:
    """Return the runs after the search that have not ended; `confirmation` before that is known."""
    if search.records.rule > 1 and search.records.basis is None:
        return confirmation
    specs = pending(config, search.records, seeds=search.seeds)
    racing = any(spec.stage is Stage.RACE for spec in specs)
    # The confirmation runs of the winner and its rivals join these as soon as there is a winner.
    joining = config.confirmation.seeds * max(1, arms_to_come(config, search.records)) if racing else 0
    known = sum(config.budget(spec.setting) for spec in specs)
    return Load(len(specs) + joining, known + joining * full)
