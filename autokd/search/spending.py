"""A budget for a batch: what is most worth running next, what is reserved, and when nothing more is begun.

Searches come first, the one that is expected to gain most by going on before the others. A part of the budget
is reserved for confirmations, which follow in the order of what they promise. All of it is pure functions.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from autokd.config.study import StudyConfig
from autokd.core.records import Stage
from autokd.core.setting import DEFAULT
from autokd.recommendation.race import looks_of, pending
from autokd.search.eta import expected_arms
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
        epochs: Epochs of trials, race and confirmation; None for no limit.
        seconds: Seconds during which a command worked on the batch; None for no limit.
    """

    epochs: float | None = None
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Spent:
    """What a batch has spent so far.

    Attributes:
        epochs: With those that runs in progress may still need.
        per_second: Epochs a second at the pace so far; None before there is a pace.
        ending: Seconds that are needed after the last run.
    """

    epochs: float
    seconds: float
    per_second: float | None
    ending: float = 0.0


def epochs_left(budget: Budget, spent: Spent) -> float:
    """Return how many epochs may still be begun; infinite as long as that is not known."""
    by_epochs = math.inf if budget.epochs is None else budget.epochs - spent.epochs
    if budget.seconds is None:
        return by_epochs
    seconds = budget.seconds - spent.seconds - min(spent.ending, _MOST_ENDING * budget.seconds)
    if seconds <= 0:
        return 0.0
    return min(by_epochs, math.inf if spent.per_second is None else seconds * spent.per_second)


def search_may_go_on(
    config: StudyConfig,
    searches: Iterable[PairSearch],
    *,
    left: float,
    spent: float,
    largest: int | None = None,
) -> bool:
    """Return whether another trial may be begun, with what confirmations need in reserve.

    Args:
        searches: All pairs that are not finished.
        left: Result of `epochs_left`.
        spent: Epochs spent so far.
        largest: Largest budget of a trial, in epochs; by default the recipe's.
    """
    if math.isinf(left):
        return True
    most = largest or config.rungs[-1]
    needed = sum(first_look_epochs(config, search, largest=most) for search in searches)
    reserve = min(needed, _MOST_RESERVED * (spent + left))
    return left - reserve >= most


def first_look_epochs(config: StudyConfig, search: PairSearch, *, largest: int | None = None) -> float:
    """Return the epochs that a pair needs, at most, until it can be judged for the first time.

    Args:
        largest: Largest budget of a setting that may win; by default the recipe's.
    """
    if search.trials and baseline_failed(search.trials):
        return 0.0
    if search.records.basis is None:
        # The default has the recipe's budget; winner and rivals may have the largest one.
        others = expected_arms([search.records]) - 1
        most = largest or config.rungs[-1]
        return float(config.confirmation.looks[0] * (config.rungs[-1] + others * most))
    owed = pending(config, search.records, seeds=looks_of(config, search.records)[0])
    return float(sum(config.budget(spec.setting) for spec in owed))


def look_epochs(config: StudyConfig, search: PairSearch) -> float:
    """Return the epochs that complete the present look of a pair, its race included."""
    owed = pending(config, search.records, search.live.values(), seeds=search.seeds)
    epochs = sum(config.budget(spec.setting) for spec in owed)
    raced = [config.budget(spec.setting) for spec in owed if spec.stage is Stage.RACE]
    if raced:
        # The runs of the winner and its rivals join those of the default once the race is over.
        confirmed = sum(spec.stage is Stage.CONFIRMATION and spec.setting == DEFAULT for spec in owed)
        epochs += confirmed * _to_come_epochs(config, search, largest=max(raced))
    return float(epochs)


def _to_come_epochs(config: StudyConfig, search: PairSearch, *, largest: int) -> int:
    """Return the epochs of one seed of the arms that join a confirmation after the race, at most."""
    basis = search.records.basis
    rivals = () if basis is None else basis.rivals.items()
    by_name: dict[str, int] = {}
    for name, setting in rivals:
        arm = name.split("/")[0]
        by_name[arm] = max(by_name.get(arm, 0), config.budget(setting))
    return largest + sum(by_name.values())


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
