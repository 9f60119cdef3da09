"""The race: which setting of a searched pair goes into confirmation, and which runs are still owed.

Everything here is a function of what the store has, so going on after a kill is the same call again.

The search saw every setting with one seed and picked the best of many: its best figures are partly luck. The
race runs the best few again with fresh seeds and lets only those runs choose; confirmation runs the chosen
one and the default with further fresh seeds, paired, and only those runs testify (rule 10 of the design).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from typing import Final, NamedTuple

from autokd.config.study import CONFIRMATION_SEEDS, RACE_SEEDS, ConfirmationConfig, Objective, SearchConfig
from autokd.core.records import Failure, Role, RunRecord, RunState, Stage, TrialRecord, TrialState
from autokd.core.setting import DEFAULT, Setting, Split

SAME_ALPHA: Final = 0.005
"""Two weights this close are taken for one."""
SAME_LOG: Final = math.log(1.01)
"""Two temperatures, or learning rates, within one per cent are taken for one."""
RETRIES: Final = SearchConfig().retries
"""How often a run that died of infrastructure is tried again, where the study does not say."""


ANY: Final = Objective()
"""Gain counts, and nothing else."""


class Owed(NamedTuple):
    """A race or confirmation run that is still to be done."""

    stage: Stage
    setting: Setting
    seed: int


def alike(one: Setting, other: Setting) -> bool:
    """Whether two settings differ by too little to be worth telling apart.

    Without a teacher (alpha = 0) the temperature has no effect, so it does not count.
    """
    if one.transfer_set is not other.transfer_set or _rest(one) != _rest(other):
        return False
    if not _near(one.learning_rate, other.learning_rate):
        return False
    if one.alpha is not None and other.alpha is not None:
        if one.alpha == other.alpha == 0:
            return True
        if abs(one.alpha - other.alpha) > SAME_ALPHA:
            return False
    return _near(one.temperature, other.temperature)


def _near(one: float | None, other: float | None) -> bool:
    """Of temperatures and learning rates, which matter by their ratio."""
    if one is None or other is None:
        return one is other
    return abs(math.log(one / other)) <= SAME_LOG


def _rest(setting: Setting) -> tuple[object, ...]:
    return setting.method, setting.epochs, setting.batch_norm


def candidates(
    plan: ConfirmationConfig, trials: Sequence[TrialRecord], *, aims: Objective = ANY
) -> tuple[Setting, ...]:
    """The settings that enter the race, best first.

    Only COMPLETE trials compete, by what they are worth on validation at their end (their accuracy, unless
    the plan has another objective); the lower number wins a tie. Left out are trials that forgot more than
    the constraints allow, and settings `alike` to the default or to a better one, which could only win by
    luck.

    Returns:
        At most `plan.candidates` settings; empty if nothing but the default ran to the full budget.
    """
    complete = (
        trial for trial in trials if trial.state is TrialState.COMPLETE and aims.keeps(trial.forgetting)
    )
    chosen: list[Setting] = []
    for trial in sorted(complete, key=lambda trial: (-_worth(aims, trial), trial.number)):
        if not any(alike(trial.setting, other) for other in (DEFAULT, *chosen)):
            chosen.append(trial.setting)
        if len(chosen) == plan.candidates:
            break
    return tuple(chosen)


def winner(
    plan: ConfirmationConfig,
    trials: Sequence[TrialRecord],
    runs: Sequence[RunRecord],
    *,
    retries: int = RETRIES,
    aims: Objective = ANY,
) -> Setting | None:
    """The candidate whose race runs are worth the most on validation, on average; the search's do not count.

    A candidate with a race run that failed for good (it diverged, or ran out of retries) drops out, and so
    does one whose race runs forgot more, on average, than the constraints allow; the better candidate of the
    search wins a tie; a single candidate needs no race.

    Returns:
        None while the race is not over, and if nobody finished it: then the default stands alone.
    """
    field = candidates(plan, trials, aims=aims)
    if len(field) == 1:
        return field[0]
    if any(_unfinished(run, runs, retries) for setting in field for run in _race(plan, setting)):
        return None
    means = {
        setting: mean for setting in field if (mean := _race_mean(plan, setting, runs, aims)) is not None
    }
    return max(means, key=means.__getitem__, default=None)


def pending(
    plan: ConfirmationConfig,
    trials: Sequence[TrialRecord],
    runs: Sequence[RunRecord],
    live: Collection[tuple[Stage, Setting, int]] = (),
    *,
    retries: int = RETRIES,
    aims: Objective = ANY,
    seeds: int | None = None,
) -> tuple[Owed, ...]:
    """The runs that a finished search still owes, most urgent first.

    First the race, then winner and default seed by seed, so that an interrupted confirmation stays paired.
    The default's runs do not depend on who wins: they are owed from the start and keep workers busy
    meanwhile. With the default recipe at most 3 x 2 + 2 x 5 = 16 runs a pair, retries apart.

    Args:
        plan: How many candidates and seeds.
        trials: All trials of the study; none of them running.
        runs: All race and confirmation runs of the study that have ended.
        live: Runs under way now; they are left out, and the race is not over before they end.
        retries: How often a run that died of infrastructure or memory is tried again. Interruptions by the
            user are always made up for and do not count.
        aims: What a setting is wanted for.
        seeds: Of the confirmation; by default `plan.seeds`.

    Returns:
        Empty when all is done, and where there is no COMPLETE baseline: nothing could be judged then.
    """
    if not any(trial.role is Role.BASELINE and trial.state is TrialState.COMPLETE for trial in trials):
        return ()
    field = candidates(plan, trials, aims=aims)
    wanted = [run for setting in field for run in _race(plan, setting)] if len(field) > 1 else []
    best = winner(plan, trials, runs, retries=retries, aims=aims)
    for seed in range(CONFIRMATION_SEEDS, CONFIRMATION_SEEDS + (seeds or plan.seeds)):
        arms = (DEFAULT,) if best is None else (best, DEFAULT)
        wanted += [Owed(Stage.CONFIRMATION, setting, seed) for setting in arms]
    busy = set(live)
    return tuple(run for run in wanted if run not in busy and _unfinished(run, runs, retries))


def _race(plan: ConfirmationConfig, setting: Setting) -> Iterator[Owed]:
    return (Owed(Stage.RACE, setting, RACE_SEEDS + index) for index in range(plan.race_seeds))


def _records(run: Owed, runs: Sequence[RunRecord]) -> list[RunRecord]:
    return [record for record in runs if (record.stage, record.setting, record.seed) == run]


def _unfinished(run: Owed, runs: Sequence[RunRecord], retries: int) -> bool:
    """Whether `run` is to be done, for the first time or again."""
    return to_be_run(_records(run, runs), retries)


def to_be_run(records: Sequence[RunRecord], retries: int) -> bool:
    """Whether a run of which this is known is to be done, for the first time or again."""
    if any(record.state is RunState.COMPLETE for record in records):
        return False
    failures = [record.failure for record in records if record.failure is not None]
    if not all(failure.retried for failure in failures):
        return False
    return sum(failure is not Failure.INTERRUPTED for failure in failures) <= retries


def _worth(aims: Objective, trial: TrialRecord) -> float:
    """In pp, up to what all trials of a study have in common."""
    return aims.value(100 * (trial.accuracy or 0.0), trial.forgetting)


def _race_mean(
    plan: ConfirmationConfig, setting: Setting, runs: Sequence[RunRecord], aims: Objective
) -> float | None:
    """What the race runs are worth on average, in pp as `_worth` has it.

    None unless every race seed is COMPLETE and the constraints are kept.
    """
    complete = [
        record
        for run in _race(plan, setting)
        for record in _records(run, runs)
        if record.state is RunState.COMPLETE
    ]
    if len(complete) != plan.race_seeds:
        return None
    accuracy = math.fsum(100 * run.accuracy(Split.VALIDATION) for run in complete) / plan.race_seeds
    forgetting = math.fsum(run.forgetting or 0.0 for run in complete) / plan.race_seeds
    return aims.value(accuracy, forgetting) if aims.keeps(forgetting) else None
