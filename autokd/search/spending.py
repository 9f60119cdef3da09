"""A budget for a batch: what is most worth running next, what is reserved, and when nothing more is begun.

Searches come first, the one that is expected to gain most by going on before the others. A part of the budget
is reserved for confirmations, which follow in the order of what they promise. All of it is pure functions.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from autokd.config.study import StudyConfig
from autokd.core.price import NOTHING, UNLIMITED, Load, largest_load
from autokd.core.records import Stage
from autokd.recommendation.race import arms_to_come, looks_of, pending
from autokd.search.next_work import PairSearch, baseline_failed

_MOST_RESERVED: Final = 0.5
"""Largest share of the budget that is kept for confirmations: without a search nothing can be confirmed."""
_MOST_ENDING: Final = 0.5
"""Largest share of a time budget that is kept for what follows the last run."""
BUDGET_ENDED: Final = "the budget ended before its confirmation had"


@dataclass(frozen=True, slots=True)
class Budget:
    """The most that a batch may spend, in all: what was spent on its pairs before counts.

    Attributes:
        epochs: Epochs of trials, race and confirmation, whatever they train on; None for no limit.
        examples: Training examples of the same; None for no limit.
        seconds: Seconds during which a command worked on the batch; None for no limit.
    """

    epochs: float | None = None
    examples: float | None = None
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Spent:
    """What a batch has spent so far.

    Attributes:
        work: With what runs in progress may still need.
        per_second: Training examples a second at the pace so far; None before there is a pace.
        ending: Seconds that are needed after the last run.
    """

    work: Load
    seconds: float
    per_second: float | None
    ending: float = 0.0


def work_left(budget: Budget, spent: Spent) -> Load:
    """Return how much work may still be begun; infinite in a unit as long as that is not known."""
    epochs = math.inf if budget.epochs is None else budget.epochs - spent.work.epochs
    examples = math.inf if budget.examples is None else budget.examples - spent.work.examples
    if budget.seconds is not None:
        seconds = budget.seconds - spent.seconds - min(spent.ending, _MOST_ENDING * budget.seconds)
        if seconds <= 0:
            examples = 0.0
        elif spent.per_second is not None:
            examples = min(examples, seconds * spent.per_second)
    return Load(math.inf, max(0.0, epochs), max(0.0, examples))


def within(work: Load, limit: Load) -> Load:
    """Return the part of some work that a limit has room for, in proportion."""
    shares = [
        most / needed
        for needed, most in ((work.epochs, limit.epochs), (work.examples, limit.examples))
        if needed > most
    ]
    return work * min(shares, default=1.0)


def search_may_go_on(
    config: StudyConfig, searches: Collection[PairSearch], *, left: Load, spent: Load
) -> bool:
    """Return whether another trial may be begun, with what confirmations need in reserve.

    Args:
        searches: All pairs that are not finished.
        left: Result of `work_left`.
        spent: Work spent so far.
    """
    if left == UNLIMITED:
        return True
    needed = sum((first_look(config, search) for search in searches), NOTHING)
    reserve = needed.least((spent + left) * _MOST_RESERVED)
    return (largest_load(search.costs.largest for search in searches) + reserve).fits(left)


def first_look(config: StudyConfig, search: PairSearch) -> Load:
    """Return the work that a pair needs, at most, until it can be judged for the first time."""
    if search.trials and baseline_failed(search.trials):
        return NOTHING
    costs = search.costs
    if search.records.basis is None:
        return costs.most_arms(search.records.rule) * config.confirmation.looks[0]
    owed = pending(config, search.records, seeds=looks_of(config, search.records)[0])
    return sum((costs.of(spec.setting) for spec in owed), NOTHING)


def present_look(config: StudyConfig, search: PairSearch) -> Load:
    """Return the work that completes the present look of a pair, at most, its race included."""
    owed = pending(config, search.records, search.live.values(), seeds=search.seeds)
    work = sum((search.costs.of(spec.setting) for spec in owed), NOTHING)
    if any(spec.stage is Stage.RACE for spec in owed):
        # The runs of the winner and its rivals join those of the default once the race is over.
        seeds = search.seeds or looks_of(config, search.records)[0]
        for settings in arms_to_come(config, search.records):
            work += largest_load(map(search.costs.of, settings)) * seeds
    return work


def urgency(config: StudyConfig, meeting: Sequence[PairSearch]) -> tuple[int, float]:
    """Return how urgent a meeting is; the largest is served first.

    First come pairs that have not run the default, then searches by the gain that is expected of going on,
    then confirmations by the gain over the default that is expected of the winner.
    """
    return max(_urgency(config, search) for search in meeting)


def _urgency(config: StudyConfig, search: PairSearch) -> tuple[int, float]:
    if not search.trials:
        return 3, 0.0
    if search.is_open(config.search):
        return 2, math.inf if search.outlook is None else search.outlook.regret
    return 1, search.promise
