"""Which setting of a pair goes into confirmation, and which runs are still pending.

Everything here is a function of the stored records, so a command that was killed goes on by the same call.

The search ran every setting with one seed and picked the best of many, so its best figures are partly luck.
The race runs the best few again with new seeds, and only these runs choose. The confirmation runs the chosen
setting and the default with further new seeds, paired; only these runs count as evidence (rule 10 of the
design).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Final

from autokd.config.study import CONFIRMATION_SEEDS, RACE_SEEDS, ConfirmationConfig, Objective, SearchConfig
from autokd.core.pair_records import PairRecords
from autokd.core.records import Failure, RunRecord, RunState, Stage, TrialOrigin, TrialRecord, TrialState
from autokd.core.run_spec import RunSpec
from autokd.core.setting import DEFAULT, Setting, Split

SAME_ALPHA: Final = 0.005
"""Largest difference of two weights that count as equal."""
SAME_LOG: Final = math.log(1.01)
"""Largest log ratio of two temperatures, or two learning rates, that count as equal: one per cent."""
RETRIES: Final = SearchConfig().retries
"""Default number of retries of a run that failed for lack of infrastructure or memory."""
ANY: Final = Objective()
"""The default objective: only gain counts."""


def alike(first: Setting, second: Setting) -> bool:
    """Return whether two settings differ by too little to be worth comparing.

    Without a teacher (alpha = 0) the temperature has no effect, so it does not count.
    """
    if first.transfer_set is not second.transfer_set or _names(first) != _names(second):
        return False
    if not _close(first.learning_rate, second.learning_rate):
        return False
    if first.alpha is not None and second.alpha is not None:
        if first.alpha == second.alpha == 0:
            return True
        if abs(first.alpha - second.alpha) > SAME_ALPHA:
            return False
    return _close(first.temperature, second.temperature)


def _close(first: float | None, second: float | None) -> bool:
    """Return whether the ratio of two temperatures or learning rates is close to 1."""
    if first is None or second is None:
        return first is second
    return abs(math.log(first / second)) <= SAME_LOG


def _names(setting: Setting) -> tuple[object, ...]:
    return setting.method, setting.epochs, setting.batch_norm


def candidates(
    plan: ConfirmationConfig, trials: Sequence[TrialRecord], *, aims: Objective = ANY
) -> tuple[Setting, ...]:
    """Return the settings that enter the race, best first.

    Only COMPLETE trials compete, by the value of their last validation result (the accuracy, unless the plan
    has another objective). The lower trial number wins a tie. Trials that forgot more than the constraints
    allow are left out, and so are settings `alike` to the default or to a better one: they could only win
    by luck.

    Returns:
        At most `plan.candidates` settings; empty if nothing but the default ran to the full budget.
    """
    complete = (
        trial for trial in trials if trial.state is TrialState.COMPLETE and aims.keeps(trial.forgetting)
    )
    chosen: list[Setting] = []
    for trial in sorted(complete, key=lambda trial: (-_value(aims, trial), trial.number)):
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
    """Return the candidate whose race runs have the highest mean value on validation.

    The search's own trials do not count. A candidate drops out if one of its race runs failed for good (it
    diverged, or ran out of retries), or if its race runs forgot more on average than the constraints allow.
    The candidate that was better in the search wins a tie. A single candidate needs no race.

    Returns:
        None while the race is not over, and if no candidate finished it: then only the default is confirmed.
    """
    field = candidates(plan, trials, aims=aims)
    if len(field) == 1:
        return field[0]
    by_seed = {setting: _race_records(plan, setting, runs) for setting in field}
    if any(to_be_run(records, retries) for seeds in by_seed.values() for records in seeds):
        return None
    means = {setting: mean for setting in field if (mean := _race_mean(by_seed[setting], aims)) is not None}
    return max(means, key=means.__getitem__, default=None)


def pending(
    plan: ConfirmationConfig,
    records: PairRecords,
    live: Collection[RunSpec] = (),
    *,
    retries: int = RETRIES,
    aims: Objective = ANY,
    seeds: int | None = None,
) -> tuple[RunSpec, ...]:
    """Return the race and confirmation runs that are still to be done after the search, most urgent first.

    The race comes first, then winner and default seed by seed, so that an interrupted confirmation stays
    paired. The default's runs do not depend on the winner: they are pending from the start and keep workers
    busy during the race. With the default recipe a pair has at most 3 x 2 + 2 x 5 = 16 runs, retries not
    counted.

    Args:
        plan: Numbers of candidates and seeds.
        records: The pair's records; none of the trials is running.
        live: Runs in progress. They are left out, and the race is not over before they end.
        retries: Number of retries of a run that failed for lack of infrastructure or memory. Interruptions by
            the user do not count; such a run is always done again.
        aims: Objective and constraints.
        seeds: Number of seeds of the confirmation; by default `plan.seeds`.

    Returns:
        Empty when all is done, and if there is no COMPLETE baseline: then nothing could be judged.
    """
    trials, runs, pair = records.trials, records.runs, records.pair
    if not any(trial.role is TrialOrigin.BASELINE and trial.state is TrialState.COMPLETE for trial in trials):
        return ()
    field = candidates(plan, trials, aims=aims)
    racing = field if len(field) > 1 else ()
    wanted = [RunSpec(pair, setting, seed, Stage.RACE) for setting in racing for seed in _race_seeds(plan)]
    best = winner(plan, trials, runs, retries=retries, aims=aims)
    for seed in range(CONFIRMATION_SEEDS, CONFIRMATION_SEEDS + (seeds or plan.seeds)):
        arms = (DEFAULT,) if best is None else (best, DEFAULT)
        wanted += [RunSpec(pair, setting, seed, Stage.CONFIRMATION) for setting in arms]
    busy = set(live)
    return tuple(
        spec
        for spec in wanted
        if spec not in busy and to_be_run(records_of(runs, spec.stage, spec.setting, spec.seed), retries)
    )


def records_of(
    runs: Sequence[RunRecord], stage: Stage | None, setting: Setting, seed: int
) -> list[RunRecord]:
    """Return a pair's records of one run, of which all but the last failed."""
    return [run for run in runs if (run.stage, run.setting, run.seed) == (stage, setting, seed)]


def to_be_run(records: Sequence[RunRecord], retries: int) -> bool:
    """Return whether a run with these records is to be done, for the first time or again."""
    if any(record.state is RunState.COMPLETE for record in records):
        return False
    failures = [record.failure for record in records if record.failure is not None]
    if not all(failure.is_transient for failure in failures):
        return False
    return sum(failure is not Failure.INTERRUPTED for failure in failures) <= retries


def _race_seeds(plan: ConfirmationConfig) -> range:
    return range(RACE_SEEDS, RACE_SEEDS + plan.race_seeds)


def _race_records(
    plan: ConfirmationConfig, setting: Setting, runs: Sequence[RunRecord]
) -> list[list[RunRecord]]:
    return [records_of(runs, Stage.RACE, setting, seed) for seed in _race_seeds(plan)]


def _value(aims: Objective, trial: TrialRecord) -> float:
    """Return the value of a trial in pp, up to a constant that all trials of a study share."""
    return aims.value(100 * (trial.accuracy or 0.0), trial.forgetting)


def _race_mean(by_seed: Sequence[Sequence[RunRecord]], aims: Objective) -> float | None:
    """Return the mean value of a candidate's race runs, in pp as in `_value`.

    None unless every race seed is COMPLETE and the constraints are kept.
    """
    complete = [run for records in by_seed for run in records if run.state is RunState.COMPLETE]
    if len(complete) != len(by_seed):
        return None
    accuracy = math.fsum(100 * run.accuracy(Split.VALIDATION) for run in complete) / len(complete)
    forgetting = math.fsum(run.forgetting or 0.0 for run in complete) / len(complete)
    return aims.value(accuracy, forgetting) if aims.keeps(forgetting) else None
