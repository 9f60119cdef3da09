"""The next run of a meeting: a pure function of the stored records, so resuming is the same call again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from autokd.config.study import SEARCH_SEED, StudyConfig
from autokd.core.pair_records import PairRecords
from autokd.core.records import RunRecord, TrialOrigin, TrialRecord, TrialState
from autokd.core.run_spec import RunSpec
from autokd.core.setting import DEFAULT, Pair
from autokd.recommendation.race import pending
from autokd.search.asked import asked_left
from autokd.search.budget import next_in_meeting, to_retry


@dataclass(slots=True, eq=False)
class PairSearch:
    """The search of one pair: its records, and what the driver knows besides.

    Attributes:
        records: Trials and runs as the store has them; trials in progress are RUNNING.
        seeds: Number of seeds of the confirmation; None for the recipe's.
        initial_accuracy: Validation accuracy of the student's model before distillation, in [0, 1].
        live: Runs in progress, by a key of the caller.
        exhausted: Whether the space is a grid of which every setting was tried.
    """

    records: PairRecords
    seeds: int | None = None
    initial_accuracy: float = 0.0
    live: dict[str, RunSpec] = field(default_factory=dict)
    exhausted: bool = False

    @property
    def pair(self) -> Pair:
        return self.records.pair

    @property
    def trials(self) -> Sequence[TrialRecord]:
        return self.records.trials

    def add_run(self, run: RunRecord) -> None:
        """Add a race or confirmation run that has ended."""
        self.records = replace(self.records, runs=(*self.records.runs, run))

    def put_trial(self, trial: TrialRecord) -> None:
        """Add a trial, or replace the one with its number."""
        trials = {known.number: known for known in self.trials} | {trial.number: trial}
        self.records = replace(self.records, trials=tuple(trials.values()))


def next_work(
    config: StudyConfig, meeting: Sequence[PairSearch], *, validation_examples: int
) -> RunSpec | Pair | None:
    """Return the most urgent run of a meeting's searched pairs; None if none can start now.

    1. The default setting, as trial 0 of each study.
    2. Trials that failed for lack of infrastructure, again.
    3. Settings that the user asked for, beyond the budget if need be.
    4. New trials up to the budget; like 3, in studies whose baseline has not failed for good.
    5. Races and confirmations, once the search of the whole meeting is over. The default's confirmation,
       which depends on no winner, starts while the last trials run, so that no worker is idle and stopped.

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
    searching = {search.pair: search.trials for search in alive if not search.exhausted}
    if searching:
        pair = next_in_meeting(config.search, searching, validation_examples=validation_examples)
        if pair is not None:
            return pair
    is_over = not any(trial.state is TrialState.RUNNING for search in alive for trial in search.trials)
    for search in alive:
        seeds = search.seeds if is_over else None
        for spec in pending(config, search.records, search.live.values(), seeds=seeds):
            if is_over or spec.setting == DEFAULT:
                return spec
    return None


def baseline_failed(trials: Sequence[TrialRecord]) -> bool:
    """Return whether the default setting failed for good; then nothing of the study could be judged.

    Call it after `to_retry`: a trial that may be tried again has not failed for good.
    """
    states = {trial.state for trial in trials if trial.role is TrialOrigin.BASELINE}
    return states == {TrialState.FAIL}
