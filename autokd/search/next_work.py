"""The next run of a meeting: a pure function of the stored records, so resuming is the same call again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from autokd.config.search import SearchConfig
from autokd.config.study import SEARCH_SEED, StudyConfig
from autokd.core.pair_records import PairRecords
from autokd.core.records import RunRecord, TrialOrigin, TrialRecord, TrialState
from autokd.core.run_spec import RunSpec
from autokd.core.setting import DEFAULT, AnyPair, Setting
from autokd.recommendation.race import pending
from autokd.search.asked import asked_left
from autokd.search.budget import next_in_meeting, to_retry
from autokd.search.costs import Costs
from autokd.search.ending import Outlook


@dataclass(slots=True, eq=False)
class PairSearch:
    """The search of one pair: its records, and what the driver knows besides.

    Attributes:
        records: Trials and runs as the store has them; trials in progress are RUNNING.
        costs: What its runs cost.
        seeds: Number of seeds of the confirmation; None for those of its first look.
        initial_accuracy: Validation accuracy of the student's model before distillation, in [0, 1].
        live: Runs in progress, by a key of the caller.
        exhausted: Whether the space is a grid of which every setting was tried.
        outlook: Whether the search may end by itself; None by rule 1, and if the sampler cannot tell.
        closed: Whether the budget allows no further trial.
        promise: Expected gain of the winner over the default, in pp.
    """

    records: PairRecords
    costs: Costs
    seeds: int | None = None
    initial_accuracy: float = 0.0
    live: dict[str, RunSpec] = field(default_factory=dict)
    exhausted: bool = False
    outlook: Outlook | None = None
    closed: bool = False
    promise: float = 0.0

    @property
    def pair(self) -> AnyPair:
        return self.records.pair

    @property
    def trials(self) -> Sequence[TrialRecord]:
        return self.records.trials

    @property
    def running(self) -> list[TrialRecord]:
        """The trials in progress."""
        return [trial for trial in self.trials if trial.state is TrialState.RUNNING]

    @property
    def favourite(self) -> Setting | None:
        """The setting to run next because the search ends with it; None if the sampler is to choose."""
        view = self.outlook
        if view is None or not view.ends or any(trial.setting == view.best for trial in self.trials):
            return None
        return view.best

    def is_open(self, search: SearchConfig) -> bool:
        """Return whether new trials may be added, as far as this pair is concerned.

        A search that has ended stays so, whatever other pairs show later, unless the recipe asks for more.
        """
        basis, view = self.records.basis, self.outlook
        if self.closed or self.exhausted or (basis is not None and not search.bounds.beyond(basis.search)):
            return False
        return view is None or not view.ends or self.favourite is not None

    def add_run(self, run: RunRecord) -> None:
        """Add a race or confirmation run that has ended."""
        self.records = replace(self.records, runs=(*self.records.runs, run))

    def put_trial(self, trial: TrialRecord) -> None:
        """Add a trial, or replace the one with its number."""
        trials = {known.number: known for known in self.trials} | {trial.number: trial}
        self.records = replace(self.records, trials=tuple(trials.values()))


def next_work(
    config: StudyConfig, meeting: Sequence[PairSearch], *, validation_examples: float
) -> RunSpec | AnyPair | None:
    """Return the most urgent run of a meeting's searched pairs; None if none can start now.

    1. The default setting, as trial 0 of each study.
    2. Trials that failed for lack of infrastructure, again.
    3. Settings that the user asked for, beyond the budget if need be.
    4. New trials up to the budget; like 3, in studies whose baseline has not failed for good.
    5. Races and confirmations. By rule 2 those of a pair start once its own search is over. By rule 1 that of
       the whole meeting must be over, but the default's confirmation, which depends on no winner, starts
       while the last trials run, so that no worker is idle and stopped.

    Returns:
        A pair stands for a new trial whose setting the sampler chooses. None means that all is done, or
        that a run in progress must end first.
    """
    for search in meeting:
        if not search.trials:
            return RunSpec(search.pair, DEFAULT, SEARCH_SEED, None, TrialOrigin.BASELINE)
    for search in meeting:
        for trial in to_retry(search.trials, config.search.retries):
            return RunSpec(search.pair, trial.setting, trial.seed, None, trial.role)
    alive = [search for search in meeting if not baseline_failed(search.trials)]
    for search in alive:
        for setting in asked_left(config, search.trials):
            return RunSpec(search.pair, setting, SEARCH_SEED, None, TrialOrigin.ASKED)
    pair = next_trial(config, meeting, validation_examples=validation_examples)
    if pair is not None:
        return pair
    is_over = not any(search.running for search in alive)
    for search in alive:
        seeds = search.seeds if is_over or search.records.rule > 1 else None
        for spec in pending(config, search.records, search.live.values(), seeds=seeds):
            if is_over or search.records.rule > 1 or spec.setting == DEFAULT:
                return spec
    return None


def next_trial(
    config: StudyConfig, meeting: Sequence[PairSearch], *, validation_examples: float
) -> AnyPair | None:
    """Return which of a meeting's pairs gets a new trial; None if the search of all of them is over."""
    searching = {
        search.pair: search.trials
        for search in meeting
        if search.is_open(config.search) and not baseline_failed(search.trials)
    }
    if not searching:
        return None
    shared = any(search.records.rule == 1 for search in meeting)
    return next_in_meeting(config.search, searching, validation_examples=validation_examples, shared=shared)


def searches_over(
    config: StudyConfig, meeting: Sequence[PairSearch], *, validation_examples: float
) -> list[PairSearch]:
    """Return the pairs of a meeting whose search is over, with no trial in progress or to be repeated."""
    quiet = [
        search
        for search in meeting
        if search.trials
        and not search.running
        and not to_retry(search.trials, config.search.retries)
        and not asked_left(config, search.trials)
    ]
    if next_trial(config, meeting, validation_examples=validation_examples) is None:
        return quiet
    return [search for search in quiet if not search.is_open(config.search)]


def baseline_failed(trials: Sequence[TrialRecord]) -> bool:
    """Return whether the default setting failed for good; then nothing of the study could be judged.

    Call it after `to_retry`: a trial that may be tried again has not failed for good.
    """
    states = {trial.state for trial in trials if trial.role is TrialOrigin.BASELINE}
    return states == {TrialState.FAIL}
