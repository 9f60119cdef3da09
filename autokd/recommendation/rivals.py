"""Rivals: what a sceptic would do instead of what autokd found, and which runs it takes to compare them.

| rival | what it is |
|---|---|
| as it is | the student's own model |
| partner | the teacher's model, adopted as it is |
| average | both models' probabilities averaged, nothing trained |
| default | T = 1, α = 0.5, on each transfer set that may be used |
| learning rate | the default with the best of a few learning rates, chosen on validation |
| cross-entropy | the same examples and the same budget without the teacher (α = 0) |
| elsewhere | the setting that did best over all pairs without either participant |
| validation | fine-tuning on the labelled validation split, which the search had as well |

A rival that is trained runs with the seeds of the confirmation, so that it is paired with what it is compared
to, and is seen on the same splits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from autokd.config.study import RACE_SEEDS
from autokd.core.records import RunRecord, RunState, Stage
from autokd.core.setting import DEFAULT, Setting, Split, TransferSet
from autokd.core.setting_variants import moved, plain, untaught
from autokd.recommendation.elsewhere import Elsewhere
from autokd.recommendation.race import RETRIES, Owed, to_be_run

RATES: Final = (0.03, 0.1, 0.3, 1.0, 3.0)
"""Learning rates that the default is tried with, as multiples of the recipe's."""
ON_VALIDATION: Final = Setting(temperature=1.0, alpha=0.0, transfer_set=TransferSet.VALIDATION)
"""Fine-tuning on the labelled validation split."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What the rivals of a pair depend on.

    Attributes:
        setting: What is compared with them.
        confirmed: Settings that the confirmation has runs of.
        seeds: The seed indices of the confirmation.
        transfer_sets: Which may be used.
        learning_rate: The recipe's.
        rate_seeds: With how many seeds each learning rate runs to be chosen.
        elsewhere: The best setting over other pairs; None if there is nothing to choose from.
    """

    setting: Setting
    confirmed: tuple[Setting, ...]
    seeds: tuple[int, ...]
    transfer_sets: tuple[TransferSet, ...]
    learning_rate: float
    rate_seeds: int
    elsewhere: Elsewhere | None = None


class Trained(NamedTuple):
    """A rival that is a setting.

    Attributes:
        key: For programs.
        words: For people.
    """

    key: str
    words: str
    setting: Setting


def trained(subject: Subject, rate: Setting | None) -> tuple[Trained, ...]:
    """The rivals that are trained; `rate` is the default with the chosen learning rate, if that is known."""
    found = [Trained("default", "the default", DEFAULT)]
    found += [
        Trained(f"default_on_{one}", f"the default on {one}", moved(DEFAULT, one))
        for one in subject.transfer_sets
        if one is not DEFAULT.transfer_set
    ]
    if rate is not None:
        factor = 1.0 if rate.learning_rate is None else rate.learning_rate / subject.learning_rate
        words = f"the default, rate ×{factor:.3g}"
        found.append(Trained("default_learning_rate", words, rate))
    if subject.setting.alpha is not None:
        words = f"cross-entropy only on {subject.setting.transfer_set}"
        found.append(Trained("cross_entropy", words, untaught(subject.setting)))
    if subject.elsewhere is not None:
        found.append(Trained("elsewhere", "best setting of other pairs", subject.elsewhere.setting))
    found.append(Trained("validation", "fine-tuning on validation", ON_VALIDATION))
    return tuple(found)


def wanted(
    subject: Subject,
    runs: Sequence[RunRecord],
    *,
    steps: Sequence[Setting] = (),
    retries: int = RETRIES,
) -> tuple[Owed, ...]:
    """All runs that the rivals take as things stand, done or not, most urgent first.

    What the confirmation has is left out.

    Args:
        subject: Of one pair.
        runs: Of its rivals so far; they tell which learning rate is to be confirmed.
        steps: Further settings, those between the default and `subject.setting`.
        retries: How often a run that died of infrastructure is tried again.
    """
    choosing = [Owed(Stage.RACE, one, seed) for seed in _rate_seeds(subject) for one in rates(subject)]
    rivals = [one.setting for one in trained(subject, chosen_rate(subject, runs, retries=retries))]
    return (*choosing, *repeated(subject, [*rivals, *steps]))


def repeated(subject: Subject, settings: Sequence[Setting]) -> tuple[Owed, ...]:
    """A rival's run of each setting with each seed, seed by seed, without what the confirmation has."""
    there = set(map(plain, subject.confirmed))
    absent = [one for one in dict.fromkeys(map(plain, settings)) if one not in there]
    return tuple(Owed(Stage.RIVAL, one, seed) for seed in subject.seeds for one in absent)


def rates(subject: Subject) -> tuple[Setting, ...]:
    """The default with each learning rate."""
    return tuple(
        DEFAULT if factor == 1 else replace(DEFAULT, learning_rate=factor * subject.learning_rate)
        for factor in RATES
    )


def chosen_rate(subject: Subject, runs: Sequence[RunRecord], *, retries: int = RETRIES) -> Setting | None:
    """The default with the learning rate that has the best mean validation accuracy.

    A rate of which a run failed for good, because it diverged for instance, drops out; the lower rate wins a
    tie.

    Returns:
        None while the choice is not made, and if no rate is left.
    """
    means = {}
    for setting in rates(subject):
        by_seed = [
            [one for one in runs if (one.stage, one.setting, one.seed) == (Stage.RACE, setting, seed)]
            for seed in _rate_seeds(subject)
        ]
        if any(to_be_run(known, retries) for known in by_seed):
            return None
        complete = [one for known in by_seed for one in known if one.state is RunState.COMPLETE]
        if len(complete) == subject.rate_seeds:
            means[setting] = math.fsum(one.accuracy(Split.VALIDATION) for one in complete)
    return max(means, key=means.__getitem__, default=None)


def _rate_seeds(subject: Subject) -> range:
    return range(RACE_SEEDS, RACE_SEEDS + subject.rate_seeds)
