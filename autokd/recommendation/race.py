"""Which setting of a pair goes into confirmation, and which runs are still pending.

Everything here is a function of the stored records, so a command that was killed goes on by the same call.

The search ran every setting with one seed and picked the best of many, so its best figures are partly luck.
The race runs the best few again with new seeds, and only these runs choose. The confirmation runs the chosen
setting and the default with further new seeds, paired; only these runs count as evidence (rule 10 of the
design).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from operator import attrgetter
from typing import Final

import numpy as np

from autokd.config.confirmation import ConfirmationConfig
from autokd.config.objective import Objective
from autokd.config.study import CONFIRMATION_SEEDS, RACE_SEEDS, StudyConfig
from autokd.core.example_weights import ExampleWeights
from autokd.core.pair_records import PairRecords
from autokd.core.records import Failure, RunRecord, RunState, Stage, TrialRecord, TrialState
from autokd.core.run_spec import RunSpec
from autokd.core.setting import DEFAULT, AnyPair, Setting, Split, plain, with_budget_of
from autokd.core.verdict_basis import DEFAULT_BUDGET, NO_TEACHER, SINGLE_TEACHER, Belief, no_teacher
from autokd.recommendation.ties import cheapest_of_the_best

WINNER, DEFAULT_ARM = "winner", "default"
"""Names of the two arms of every confirmation; the others are rivals, from `DEFAULT_BUDGET` on."""
SAME_ALPHA: Final = 0.005
"""Largest difference of two weights that count as equal."""
SAME_LOG: Final = math.log(1.01)
"""Largest log ratio of two temperatures, or two learning rates, that count as equal: one per cent."""
_NAMES: Final = attrgetter(
    "transfer_set", "method", "epochs", "batch_norm", "label_prior", "schedule", "teachers"
)
"""Dimensions that must be equal for two settings to be alike."""


def alike(first: Setting, second: Setting) -> bool:
    """Return whether two settings differ by too little to be worth comparing.

    Without a teacher (alpha = 0) the temperature has no effect, so it does not count, and without a label
    (alpha = 1) neither does the label prior.
    """
    if first.alpha == second.alpha == 1:
        first, second = plain(first), plain(second)
    if _NAMES(first) != _NAMES(second) or not _close(first.learning_rate, second.learning_rate):
        return False
    if first.alpha is not None and second.alpha is not None:
        if first.alpha == second.alpha == 0:
            return True
        if abs(first.alpha - second.alpha) > SAME_ALPHA:
            return False
    return _close(first.temperature, second.temperature)


def differs_in_budget_only(setting: Setting) -> bool:
    """Return whether a setting is `alike` to the default but for its budget."""
    return alike(setting, with_budget_of(DEFAULT, setting))


def _close(first: float | None, second: float | None) -> bool:
    """Return whether the ratio of two temperatures or learning rates is close to 1."""
    if first is None or second is None:
        return first is second
    return abs(math.log(first / second)) <= SAME_LOG


def candidates(config: StudyConfig, trials: Sequence[TrialRecord]) -> tuple[Setting, ...]:
    """Return the settings that enter the race, best first.

    Only COMPLETE trials compete, by the value of their last validation result (the accuracy, unless the study
    has another objective). The lower trial number wins a tie. Trials that forgot more than the constraints
    allow are left out, and so are settings `alike` to the default or to a better one: they could only win
    by luck.

    Returns:
        At most `confirmation.candidates` settings; empty if nothing but the default ran to the full budget.
    """
    aims = config.aims

    def rank(trial: TrialRecord) -> tuple[float, int]:
        return -aims.value(100 * (trial.accuracy or 0.0), trial.forgetting), trial.number

    complete = [
        trial for trial in trials if trial.state is TrialState.COMPLETE and aims.keeps(trial.forgetting)
    ]
    chosen: list[Setting] = []
    for trial in sorted(complete, key=rank):
        if not any(alike(trial.setting, other) for other in (DEFAULT, *chosen)):
            chosen.append(trial.setting)
        if len(chosen) == config.confirmation.candidates:
            break
    return tuple(chosen)


def winner(config: StudyConfig, records: PairRecords) -> Setting | None:
    """Return the setting that is judged beside the default.

    By rule 1 it is the candidate whose race runs have the highest mean value on validation; the search's own
    trials do not count, and the candidate that was better in the search wins a tie. By rule 2 it is the
    setting that the pair's basis names, or if that has a race, the one that is believed to be best after it:
    the cheapest of those within `min_improvement` of the best.

    A candidate drops out if one of its race runs failed for good (it diverged, or ran out of retries), or if
    its race runs forgot more on average than the constraints allow. A single candidate needs no race.

    Returns:
        None while the race is not over, and if no candidate finished it: then only the default is confirmed.
    """
    field = _racing(config, records)
    if len(field) < 2:
        return _unraced(config, records, field)
    seeds, retries = race_seeds(config.confirmation.race_seeds), config.search.retries
    races = {setting: race_runs(records.runs, setting, seeds, retries) for setting in field}
    if None in races.values():
        return None
    means = {
        setting: mean
        for setting, race in races.items()
        if race and (mean := _mean_value(race, config.aims, records.weights)) is not None
    }
    if records.basis is not None and records.basis.race is not None:
        return _after(records.basis.race, means, config.confirmation, runs=len(seeds))
    return max(means, key=means.__getitem__, default=None)


def _after(
    belief: Belief, means: Mapping[Setting, float], confirmation: ConfirmationConfig, *, runs: int
) -> Setting | None:
    """Return the setting that wins a race: the cheapest of those believed to be as good as the best."""
    if not means:
        return None
    after = after_race(belief, means, runs=runs)
    price = dict(zip(belief.settings, belief.prices, strict=False))
    prices = [price[setting] for setting in after] if price.keys() >= after.keys() else []
    place = cheapest_of_the_best(list(after.values()), prices, within=confirmation.min_improvement)
    return list(after)[place]


def after_race(belief: Belief, means: Mapping[Setting, float], *, runs: int) -> dict[Setting, float]:
    """Return the expected values of settings after a race, given what was believed before it.

    Args:
        means: Mean value of each setting that came through the race, in pp.
        runs: Number of race runs of each setting.
    """
    places = [belief.settings.index(setting) for setting in means]
    before = np.array(belief.mean)[places]
    covariance = np.array(belief.covariance)[np.ix_(places, places)]
    surprise = np.array(list(means.values())) - before
    noise = belief.noise / runs * np.eye(len(places))
    after = before + covariance @ np.linalg.solve(covariance + noise, surprise)
    return dict(zip(means, after.tolist(), strict=True))


def _racing(config: StudyConfig, records: PairRecords) -> tuple[Setting, ...]:
    """Return the settings that a race decides between."""
    if records.rule == 1:
        return candidates(config, records.trials)
    race = None if records.basis is None else records.basis.race
    return () if race is None else race.settings


def _unraced(config: StudyConfig, records: PairRecords, field: Sequence[Setting]) -> Setting | None:
    if records.rule == 1:
        return next(iter(field), None)
    return None if records.basis is None else records.basis.winner


def arms(config: StudyConfig, records: PairRecords) -> dict[str, Setting]:
    """Return the settings that are confirmed by the names of their arms, in the order in which they run.

    As long as a race decides, only the default is known. The rivals of rule 3 go with the winner: where that
    is the default at another budget, `default_budget` is left out, and without a teacher `no_teacher` is.
    """
    best = winner(config, records)
    if best is None:
        return {DEFAULT_ARM: DEFAULT}
    settings = {WINNER: best, DEFAULT_ARM: DEFAULT}
    rivals = {} if records.basis is None else records.basis.rivals
    if DEFAULT_BUDGET in rivals and not differs_in_budget_only(best):
        settings[DEFAULT_BUDGET] = rivals[DEFAULT_BUDGET]
    if best.alpha != 0 and no_teacher(best.transfer_set) in rivals:
        settings[NO_TEACHER] = rivals[no_teacher(best.transfer_set)]
    if SINGLE_TEACHER in rivals and teachers_of(records.pair, best) > 1:
        settings[SINGLE_TEACHER] = rivals[SINGLE_TEACHER]
    return settings


def teaching(pair: AnyPair, setting: Setting) -> tuple[int, ...]:
    """Return who teaches, without the student itself; nobody where the teachers have no weight."""
    if setting.alpha == 0:
        return ()
    chosen = pair.teachers if setting.teachers is None else setting.teachers
    return tuple(number for number in chosen if number != pair.student)


def teachers_of(pair: AnyPair, setting: Setting) -> int:
    """Return how many participants teach, without the student itself."""
    return len(teaching(pair, setting))


def arms_to_come(config: StudyConfig, records: PairRecords) -> tuple[tuple[Setting, ...], ...]:
    """Return for each arm that may join the confirmation once the race is over the settings that it may have.

    Empty without a race, and after it.
    """
    field = _racing(config, records)
    if len(field) < 2 or winner(config, records) is not None:
        return ()
    rivals: dict[str, list[Setting]] = {}
    for name, setting in ({} if records.basis is None else records.basis.rivals).items():
        rivals.setdefault(name.split("/")[0], []).append(setting)
    return (field, *map(tuple, rivals.values()))


def pending(
    config: StudyConfig, records: PairRecords, live: Collection[RunSpec] = (), *, seeds: int | None = None
) -> tuple[RunSpec, ...]:
    """Return the race and confirmation runs that are still to be done after the search, most urgent first.

    The race comes first, then all arms seed by seed, so that an interrupted confirmation stays paired. The
    default's runs do not depend on the winner: they are pending from the start and keep workers
    busy during the race.

    Args:
        records: The pair's records; none of the trials is running.
        live: Runs in progress. They are left out, and the race is not over before they end.
        seeds: Number of seeds of the confirmation; by default that of its first look.

    Returns:
        Empty when all is done, and if there is no COMPLETE baseline: then nothing could be judged. By rule 2
        also as long as the pair has no basis.
    """
    runs, pair = records.runs, records.pair
    if not any(trial.state is TrialState.COMPLETE for trial in records.baselines):
        return ()
    if records.rule > 1 and records.basis is None:
        return ()
    confirmation, field = config.confirmation, _racing(config, records)
    wanted = [
        RunSpec(pair, setting, seed, Stage.RACE)
        for setting in (field if len(field) > 1 else ())
        for seed in race_seeds(confirmation.race_seeds)
    ]
    settings = arms(config, records).values()
    for seed in confirmation_seeds(seeds or looks_of(config, records)[0]):
        wanted += [RunSpec(pair, setting, seed, Stage.CONFIRMATION) for setting in settings]
    busy = set(live)
    return tuple(
        spec
        for spec in wanted
        if spec not in busy
        and to_be_run(records_of(runs, spec.stage, spec.setting, spec.seed), config.search.retries)
    )


def looks_of(config: StudyConfig, records: PairRecords) -> tuple[int, ...]:
    """Return the numbers of seeds after which a pair is judged."""
    if records.basis is not None:
        return records.basis.looks
    return config.confirmation.looks if records.rule > 1 else config.confirmation.fixed_looks


def race_seeds(count: int) -> range:
    """Return the seed indices of `count` race runs of a setting."""
    return range(RACE_SEEDS, RACE_SEEDS + count)


def confirmation_seeds(count: int) -> range:
    """Return the seed indices of `count` confirmation runs of a setting."""
    return range(CONFIRMATION_SEEDS, CONFIRMATION_SEEDS + count)


def race_runs(
    runs: Sequence[RunRecord], setting: Setting, seeds: range, retries: int
) -> list[RunRecord] | None:
    """Return a setting's COMPLETE race runs, none if one failed for good; None while one is to be done."""
    by_seed = [records_of(runs, Stage.RACE, setting, seed) for seed in seeds]
    if any(to_be_run(records, retries) for records in by_seed):
        return None
    complete = [run for records in by_seed for run in records if run.state is RunState.COMPLETE]
    return complete if len(complete) == len(seeds) else []


def records_of(
    runs: Sequence[RunRecord], stage: Stage | None, setting: Setting, seed: int
) -> list[RunRecord]:
    """Return a pair's records of one run, of which all but the last failed."""
    return [run for run in runs if (run.stage, run.setting, run.seed) == (stage, setting, seed)]


def to_be_run(records: Sequence[RunRecord | TrialRecord], retries: int) -> bool:
    """Return whether a run, or a trial, with these records is to be done, for the first time or again.

    It is done again if each of its records failed for a reason that may not come again: always after an
    interruption by the user, up to `retries` times for lack of infrastructure or memory.
    """
    failures = [record.failure for record in records]
    if any(failure is None or not failure.is_transient for failure in failures):
        return False
    return sum(failure is not Failure.INTERRUPTED for failure in failures) <= retries


def _mean_value(race: Sequence[RunRecord], aims: Objective, weights: ExampleWeights) -> float | None:
    """Return the mean value of race runs in pp, up to a constant; None if they break the constraints."""
    accuracy = math.fsum(100 * run.accuracy(Split.VALIDATION, weights) for run in race) / len(race)
    forgetting = math.fsum(run.forgetting or 0.0 for run in race) / len(race)
    return aims.value(accuracy, forgetting) if aims.keeps(forgetting) else None
