"""What the state of a meeting in the store calls for next; a pure function, so a resume is the same call."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from autokd.config.study import SEARCH_SEED, StudyConfig
from autokd.core.records import Role, RunRecord, Stage, TrialRecord, TrialState
from autokd.core.setting import DEFAULT, Pair, Setting
from autokd.recommendation.race import Owed, pending
from autokd.search.budget import next_in_meeting, to_retry


@dataclass(frozen=True, slots=True)
class TrialWork:
    """A trial of the search; without a setting, the sampler is to choose one."""

    pair: Pair
    role: Role
    setting: Setting | None
    seed: int


@dataclass(frozen=True, slots=True)
class RunWork:
    """A race or confirmation run, outside the search."""

    pair: Pair
    stage: Stage
    setting: Setting
    seed: int


Work = TrialWork | RunWork


@dataclass(frozen=True, slots=True, eq=False)
class StudyState:
    """All that the store has of one study, and which of its runs are under way.

    Attributes:
        live_runs: Race and confirmation runs under way; live trials are RUNNING in `trials`.
        exhausted: The space is a grid and every setting of it was tried.
        seeds: Of the confirmation, once the search is over; by default the plan's.
    """

    pair: Pair
    trials: Sequence[TrialRecord]
    runs: Sequence[RunRecord]
    live_runs: Collection[tuple[Stage, Setting, int]] = ()
    exhausted: bool = False
    seeds: int | None = None


def next_work(plan: StudyConfig, meeting: Sequence[StudyState], *, validation_examples: int) -> Work | None:
    """What the searched pairs of one meeting need next, most urgent first; None if nothing can go out now.

    1. The default setting, as trial 0 of each study.
    2. Again what died of infrastructure.
    3. New trials, as the budget has it, in studies whose baseline has not failed for good.
    4. Races and confirmations, when the search of the whole meeting is over; while its last trials run, the
       default's confirmation already, which depends on no winner: so no worker idles and is let go.

    The answer is None both when all is done and while something live must end first.
    """
    for study in meeting:
        if not study.trials:
            return TrialWork(study.pair, Role.BASELINE, DEFAULT, SEARCH_SEED)
    for study in meeting:
        for again in to_retry(study.trials, plan.search.retries):
            return TrialWork(study.pair, *again)
    alive = [study for study in meeting if not baseline_failed(study.trials)]
    searching = {study.pair: study.trials for study in alive if not study.exhausted}
    if searching:
        pair = next_in_meeting(plan.search, searching, validation_examples=validation_examples)
        if pair is not None:
            return TrialWork(pair, Role.SEARCH, None, SEARCH_SEED)
    searched = not any(trial.state is TrialState.RUNNING for study in alive for trial in study.trials)
    for study in alive:
        for owed in _owed(plan, study, study.seeds if searched else None):
            if searched or owed.setting == DEFAULT:
                return RunWork(study.pair, *owed)
    return None


def _owed(plan: StudyConfig, study: StudyState, seeds: int | None) -> Sequence[Owed]:
    return pending(
        plan.confirmation,
        study.trials,
        study.runs,
        study.live_runs,
        retries=plan.search.retries,
        aims=plan.aims,
        seeds=seeds,
    )


def baseline_failed(trials: Sequence[TrialRecord]) -> bool:
    """Whether the default setting ended without a result: then nothing of the study could be judged.

    Asked after `to_retry`: what may be tried again is not a failure for good.
    """
    states = {trial.state for trial in trials if trial.role is Role.BASELINE}
    return states == {TrialState.FAIL}
