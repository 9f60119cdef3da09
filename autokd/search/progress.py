"""Progress of a search as plain numbers for a display, computed from the stored records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from autokd.config.confirmation import ConfirmationConfig
from autokd.config.study import StudyConfig
from autokd.core.price import NOTHING, Load, mean_load
from autokd.core.records import Stage, TrialOrigin, TrialRecord, TrialState
from autokd.core.setting import DEFAULT, AnyPair, Setting, moved
from autokd.recommendation.race import arms_to_come, looks_of, pending
from autokd.search.asked import asked_left
from autokd.search.budget import trials_used
from autokd.search.costs import Costs
from autokd.search.eta import averaged, forecast, trials_of_a_search
from autokd.search.next_work import PairSearch, baseline_failed


@dataclass(frozen=True, slots=True)
class VerdictSummary:
    """The verdict of a pair in short.

    Attributes:
        gain: Gain of the judged setting on test, in pp; None if there was nothing to judge.
        action: What the student's owner should do; None if that is not known.
        action_gain: Gain of doing that on test, in pp.
    """

    verdict: str
    gain: float | None
    action: str | None = None
    action_gain: float | None = None


@dataclass(frozen=True, slots=True)
class StudyProgress:
    """The progress of one pair.

    Attributes:
        counts: Number of trials by state; states without a trial are absent.
        baseline: Validation accuracy of the default setting so far, in [0, 1].
        best: Validation accuracy and setting of the best COMPLETE trial so far.
        search, after: Work so far of the trials, and of race and confirmation.
        conclusion: The verdict, once nothing is left to do for the pair's meeting.
    """

    pair: AnyPair
    counts: Mapping[TrialState, int]
    baseline: float | None
    best: tuple[float, Setting] | None
    search: Load = NOTHING
    after: Load = NOTHING
    conclusion: VerdictSummary | None = None

    @property
    def runs(self) -> int:
        """Number of race and confirmation runs that have ended."""
        return round(self.after.runs)

    @property
    def spent(self) -> Load:
        """All work so far."""
        return self.search + self.after


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of all pairs that are being tuned.

    Attributes:
        live: Number of runs in progress.
        ended: Number of runs that ended since the command began.
        left: Estimated number of runs to be done, with those in progress; the race may need fewer.
        work_left: Estimated work of these runs; trials may be stopped early.
        seconds: Seconds since the command began.
        done: Work that ended since the first run did.
        training: Share of the workers' time since then that went into training, in [0, 1].
        waited: Seconds until the first run had ended, mostly the start of the workers.
        sweep_examples: Training examples of a sweep of the grid `poster_sweep` over these pairs.
        sweep_budget: Epochs of each of its runs where the search has longer ones than usual; else None.
    """

    studies: tuple[StudyProgress, ...]
    live: int
    ended: int
    left: int
    seconds: float
    waited: float = 0.0
    sweep_examples: int = 0
    sweep_budget: int | None = None
    work_left: Load = NOTHING
    done: Load = NOTHING
    training: float = 0.0

    @property
    def examples(self) -> float:
        """Training examples spent on these pairs so far."""
        return sum(study.spent.examples for study in self.studies)

    @property
    def share_of_sweep(self) -> float | None:
        """The same as a share of the sweep; None if that is not known."""
        return self.examples / self.sweep_examples if self.sweep_examples else None

    @property
    def per_second(self) -> float | None:
        """Runs per second since the first one ended; None before a second one has ended."""
        duration = self.seconds - self.waited
        return (self.ended - 1) / duration if self.ended > 1 and duration > 0 else None

    @property
    def seconds_left(self) -> float | None:
        """Expected seconds for the rest at the pace so far; None before there is a pace."""
        left = replace(self.work_left, runs=self.left)
        return forecast(self.done, left, seconds=self.seconds - self.waited, training=self.training)


def study_progress(search: PairSearch, conclusion: VerdictSummary | None = None) -> StudyProgress:
    """Return the progress of one pair."""
    trials = search.records.trials
    baseline = _best(trial for trial in trials if trial.role is TrialOrigin.BASELINE)
    best = _best(trials)
    return StudyProgress(
        pair=search.pair,
        counts=Counter(trial.state for trial in trials),
        baseline=_accuracy(baseline) if baseline else None,
        best=(_accuracy(best), best.setting) if best else None,
        search=search.costs.spent(trials),
        after=search.costs.spent(search.records.runs),
        conclusion=conclusion,
    )


def _accuracy(trial: TrialRecord) -> float:
    return trial.accuracy or 0.0


def work_left(
    config: StudyConfig, meetings: Iterable[Sequence[PairSearch]], finished: Iterable[StudyProgress]
) -> Load:
    """Return the expected work that is left of open meetings, with the runs in progress.

    Args:
        finished: Pairs of closed meetings; they show what a search and a confirmation take.
    """
    meetings, judged = list(meetings), [study for study in finished if study.baseline is not None]
    trials = trials_of_a_search(config, [sum(study.counts.values()) for study in judged])
    best = [study.best[1] for study in judged if study.best is not None]
    best += [
        best_trial.setting
        for meeting in meetings
        for search in meeting
        if (best_trial := _best(search.trials))
    ]
    elsewhere = Counter(_kind(setting) for setting in best if setting != DEFAULT)
    return sum((_left(config, meeting, trials, judged, elsewhere) for meeting in meetings), NOTHING)


def _left(
    config: StudyConfig,
    meeting: Sequence[PairSearch],
    trials: float,
    judged: Sequence[StudyProgress],
    elsewhere: Mapping[Setting, int],
) -> Load:
    """Return what is left of a meeting if the search of each pair takes so many trials.

    Args:
        judged: The finished pairs.
        elsewhere: As in `expected_confirmation`.
    """
    alive = [search for search in meeting if not search.trials or not baseline_failed(search.trials)]
    left = _trials_left(config, alive, trials, [study.search for study in judged])
    for search in alive:
        fixed = search.records.basis is not None if search.records.rule > 1 else not left.runs
        if fixed:
            left += _load_after_search(config, search)
        else:
            expected = averaged(
                expected_confirmation(config, search, elsewhere), [study.after for study in judged]
            )
            left += expected * max(0.0, 1 - len(search.records.runs) / expected.runs)
    return left


def _trials_left(
    config: StudyConfig, alive: Sequence[PairSearch], trials: float, searched: Sequence[Load]
) -> Load:
    """Return the trials that are left of a meeting, and the rest of those in progress.

    Args:
        searched: The search of each finished pair.
    """
    searching = [search for search in alive if search.is_open(config.search)]
    by_itself = all(search.records.rule > 1 for search in searching)
    most = trials if by_itself else config.search.trials
    used = sum(trials_used(search.trials) for search in searching)
    known = [search.costs.default for search in searching if not search.trials]
    known += [search.costs.of(setting) for search in alive for setting in asked_left(config, search.trials)]
    left = sum(known, NOTHING)
    left += sum((s.costs.left_of(config, trial) for s in alive for trial in s.running), NOTHING)
    new = max(0.0, most * len(searching) - used - len(known))
    if new:
        grace = config.search.stopping.grace
        exempt = min(new, sum(max(0, grace - max(1, len(search.trials))) for search in searching))
        usual = mean_load([search.costs.usual for search in searching])
        early = mean_load([search.costs.of_a_trial(config, search.trials) for search in searching])
        whole = usual * min(grace, most) + early * max(0.0, most - grace)
        # Finished pairs show whether such searches take more than that.
        times = averaged(whole, searched).examples / whole.examples if whole.examples else 1.0
        left += replace((usual * exempt + early * (new - exempt)) * times, runs=new)
    return left


def expected_confirmation(
    config: StudyConfig, search: PairSearch, elsewhere: Mapping[Setting, int] | None = None
) -> Load:
    """Return the expected race and confirmation of a pair as long as it is not known what is confirmed.

    The best trial so far stands for the winner and what races with it; as long as there is none, the best
    ones of other pairs do, and at first the mean of the space.

    Args:
        elsewhere: Number of other pairs in which settings that cost as much as this one are the best.
    """
    confirmation, rule = config.confirmation, search.records.rule
    best = _best(trial for trial in search.trials if trial.role is not TrialOrigin.BASELINE)
    winners: list[tuple[Setting | None, int]] = [(None, 1)]
    if best is not None:
        winners = [(best.setting, 1)]
    elif elsewhere:
        winners = [*elsewhere.items()]
    counted = sum(count for _, count in winners)
    loads = [_confirmed(confirmation, search.costs, rule, winner) * count for winner, count in winners]
    return sum(loads, NOTHING) * (1 / counted)


def _confirmed(confirmation: ConfirmationConfig, costs: Costs, rule: int, winner: Setting | None) -> Load:
    """Return race and confirmation if what races is like the winner."""
    if rule == 1:
        raced = costs.usual if winner is None else costs.of(winner)
        races = raced * (confirmation.candidates * confirmation.race_seeds)
        return races + costs.arms(rule, winner) * confirmation.seeds
    return costs.arms(rule, winner) * confirmation.looks[len(confirmation.looks) // 2]


def _kind(setting: Setting) -> Setting:
    """Return a setting that stands for all that cost as much."""
    return replace(moved(DEFAULT, setting.transfer_set), epochs=setting.epochs)


def _best(trials: Iterable[TrialRecord]) -> TrialRecord | None:
    """Return the most accurate of the trials that ran to the end."""
    return max((trial for trial in trials if trial.state is TrialState.COMPLETE), key=_accuracy, default=None)


def _load_after_search(config: StudyConfig, search: PairSearch) -> Load:
    """Return the runs of race and confirmation that have not ended, of a pair whose search is over."""
    specs = pending(config, search.records, seeds=search.seeds)
    left = sum((search.costs.of(spec.setting) for spec in specs), NOTHING)
    if any(spec.stage is Stage.RACE for spec in specs):
        # The runs of the winner and its rivals join these as soon as there is a winner.
        seeds = search.seeds or looks_of(config, search.records)[0]
        for settings in arms_to_come(config, search.records):
            left += mean_load([search.costs.of(setting) for setting in settings]) * seeds
    return left
