"""The alternatives to the recommended setting, and the runs that comparing with them takes.

| alternative | what it is |
|---|---|
| as it is | the student's own model, unchanged |
| partner | the teacher's model, adopted unchanged |
| average | the mean of both models' probabilities, nothing trained |
| default | T = 1, α = 0.5, on each transfer set that may be used |
| learning rate | the default with the best of a few learning rates, chosen on validation |
| cross-entropy | the same examples and budget without the teacher (α = 0) |
| elsewhere | the best setting over all pairs without either participant |
| validation | fine-tuning on the labelled validation split, which the search could use as well |

An alternative that is trained runs with the seeds of the confirmation, so that both are paired, and is
evaluated on the same splits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from autokd.config.study import RACE_SEEDS
from autokd.core.records import RunRecord, RunState, Stage
from autokd.core.run_spec import RunSpec
from autokd.core.setting import DEFAULT, Pair, Setting, Split, TransferSet
from autokd.core.setting_variants import moved, plain, untaught
from autokd.explanation.best_elsewhere import BestAverageSetting
from autokd.recommendation.race import RETRIES, records_of, to_be_run

RATES: Final = (0.03, 0.1, 0.3, 1.0, 3.0)
"""Learning rates that the default is tried with, as multiples of the recipe's."""
ON_VALIDATION: Final = Setting(temperature=1.0, alpha=0.0, transfer_set=TransferSet.VALIDATION)
"""Fine-tuning on the labelled validation split."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """The facts that decide a pair's alternatives.

    Attributes:
        setting: Setting that is compared with the alternatives.
        confirmed: Settings that have confirmation runs.
        seeds: Seed indices of the confirmation.
        transfer_sets: Transfer sets that may be used.
        learning_rate: Learning rate of the recipe.
        rate_seeds: Number of seeds with which each learning rate runs in the choice.
        elsewhere: Best setting over other pairs; None if there is none to choose from.
    """

    pair: Pair
    setting: Setting
    confirmed: tuple[Setting, ...]
    seeds: tuple[int, ...]
    transfer_sets: tuple[TransferSet, ...]
    learning_rate: float
    rate_seeds: int
    elsewhere: BestAverageSetting | None = None


class Trained(NamedTuple):
    """An alternative that is trained.

    Attributes:
        key: Its key in JSON.
        words: Its name for people.
    """

    key: str
    words: str
    setting: Setting


def trained(subject: Subject, rate: Setting | None) -> tuple[Trained, ...]:
    """Return the trained alternatives; `rate` is the default with the chosen learning rate, if known."""
    alternatives = [Trained("default", "the default", DEFAULT)]
    alternatives += [
        Trained(f"default_on_{transfer_set}", f"the default on {transfer_set}", moved(DEFAULT, transfer_set))
        for transfer_set in subject.transfer_sets
        if transfer_set is not DEFAULT.transfer_set
    ]
    if rate is not None:
        factor = 1.0 if rate.learning_rate is None else rate.learning_rate / subject.learning_rate
        words = f"the default, rate ×{factor:.3g}"
        alternatives.append(Trained("default_learning_rate", words, rate))
    if subject.setting.alpha is not None:
        words = f"cross-entropy only on {subject.setting.transfer_set}"
        alternatives.append(Trained("cross_entropy", words, untaught(subject.setting)))
    if subject.elsewhere is not None:
        alternatives.append(Trained("elsewhere", "best setting of other pairs", subject.elsewhere.setting))
    alternatives.append(Trained("validation", "fine-tuning on validation", ON_VALIDATION))
    return tuple(alternatives)


def wanted(
    subject: Subject,
    runs: Sequence[RunRecord],
    *,
    steps: Sequence[Setting] = (),
    retries: int = RETRIES,
) -> tuple[RunSpec, ...]:
    """Return all runs of the alternatives that are known to be needed, done or not, most urgent first.

    Runs that the confirmation has are left out.

    Args:
        subject: The pair.
        runs: Runs of its alternatives so far; they decide which learning rate is repeated with more seeds.
        steps: Further settings, those between the default and `subject.setting`.
        retries: Number of retries of a run that failed for lack of infrastructure.
    """
    choosing = [
        RunSpec(subject.pair, setting, seed, Stage.RACE)
        for seed in _rate_seeds(subject)
        for setting in rates(subject)
    ]
    settings = [each.setting for each in trained(subject, chosen_rate(subject, runs, retries=retries))]
    return (*choosing, *repeated(subject, [*settings, *steps]))


def repeated(subject: Subject, settings: Sequence[Setting]) -> tuple[RunSpec, ...]:
    """Return a run of each setting with each seed, seed by seed, without settings that were confirmed."""
    confirmed = set(map(plain, subject.confirmed))
    missing = [setting for setting in dict.fromkeys(map(plain, settings)) if setting not in confirmed]
    return tuple(
        RunSpec(subject.pair, setting, seed, Stage.RIVAL) for seed in subject.seeds for setting in missing
    )


def rates(subject: Subject) -> tuple[Setting, ...]:
    """Return the default with each learning rate."""
    return tuple(
        DEFAULT if factor == 1 else replace(DEFAULT, learning_rate=factor * subject.learning_rate)
        for factor in RATES
    )


def chosen_rate(subject: Subject, runs: Sequence[RunRecord], *, retries: int = RETRIES) -> Setting | None:
    """Return the default with the learning rate that has the best mean validation accuracy.

    A rate drops out if one of its runs failed for good, for instance because it diverged. The lower rate wins
    a tie.

    Returns:
        None while the choice is not made, and if no rate is left.
    """
    means = {}
    for setting in rates(subject):
        by_seed = [records_of(runs, Stage.RACE, setting, seed) for seed in _rate_seeds(subject)]
        if any(to_be_run(records, retries) for records in by_seed):
            return None
        complete = [run for records in by_seed for run in records if run.state is RunState.COMPLETE]
        if len(complete) == subject.rate_seeds:
            means[setting] = math.fsum(run.accuracy(Split.VALIDATION) for run in complete)
    return max(means, key=means.__getitem__, default=None)


def _rate_seeds(subject: Subject) -> range:
    return range(RACE_SEEDS, RACE_SEEDS + subject.rate_seeds)
