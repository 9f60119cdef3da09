"""Where the gain comes from: what each step from the default to the answer is worth, whatever their order.

    N      the steps: T and α, transfer set, position
    v(A)   correctness of the student with the steps A taken; shape (seeds, examples)
    φ_i    Σ over A ⊆ N without i of |A|! (|N| - |A| - 1)! / |N|! · (v(A + i) - v(A))

What a step is worth depends on which others were taken before; φ is its worth averaged over all orders
(Shapley 1953, "A value for n-person games", equation 13). The φ add up to v(N) - v(∅), the answer minus the
default.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from autokd.core.setting import DEFAULT, Pair, Setting, Split
from autokd.core.setting_variants import moved
from autokd.recommendation.statistics import POINTS, Interval, Spread

_Player = TypeVar("_Player")
Values = NDArray[np.float64]
"""Shape (seeds, examples)."""


class Step(StrEnum):
    """From the default to the answer."""

    TUNING = "T and α"
    """All of the setting that is tuned save the transfer set."""
    TRANSFER_SET = "transfer set"
    POSITION = "position"
    """The pair is reversed, and the student adopts the model that results."""


Taken = frozenset[Step]
"""Steps that were taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribution:
    """What each step is worth, in pp, by split.

    Attributes:
        parts: In the order of `Step`; without the position where the pair is used as it is.
        total: The answer minus the default; the parts' means add up to it.
    """

    parts: Mapping[Step, Mapping[Split, Interval]]
    total: Mapping[Split, Interval]

    def to_json(self) -> dict[str, object]:
        """Means and intervals by split and step."""
        splits = tuple(self.total)
        return {
            str(split): {
                "parts": {step.value: its[split].to_json() for step, its in self.parts.items()},
                "total": self.total[split].to_json(),
            }
            for split in splits
        }


def corners(pair: Pair, setting: Setting, reverse: Setting | None) -> Mapping[Taken, tuple[Pair, Setting]]:
    """What is run with some of the steps taken.

    T and α are tuned for the direction in which they are used, so those of the reversed pair are its own.

    Args:
        pair: As it was asked for.
        setting: The answer for it.
        reverse: The answer for the reversed pair where that is to be used, else None.
    """
    found = {taken: (pair, one) for taken, one in between(setting).items()}
    if reverse is not None:
        there = frozenset({Step.POSITION})
        found |= {taken | there: (pair.reverse, one) for taken, one in between(reverse).items()}
    return found


def between(setting: Setting) -> Mapping[Taken, Setting]:
    """The default, `setting`, and both with the other's transfer set."""
    tuning, transfer_set = frozenset({Step.TUNING}), frozenset({Step.TRANSFER_SET})
    return {
        frozenset(): DEFAULT,
        tuning: moved(setting, DEFAULT.transfer_set),
        transfer_set: moved(DEFAULT, setting.transfer_set),
        tuning | transfer_set: setting,
    }


def attribute(
    correct: Callable[[Taken, Split], Values], steps: frozenset[Step], *, confidence: float
) -> Attribution:
    """Average over the orders, on confirmation and test.

    Args:
        correct: Correctness in [0, 1] with some of the steps taken, shape (seeds, examples), one for all.
        steps: All of them.
        confidence: Of the intervals.
    """
    splits = (Split.CONFIRMATION, Split.TEST)
    values = {
        split: {
            taken: correct(taken, split) for size in range(len(steps) + 1) for taken in _subsets(steps, size)
        }
        for split in splits
    }
    parts = {split: shapley(steps, values[split]) for split in splits}
    return Attribution(
        parts={
            step: {split: interval(parts[split][step], confidence=confidence) for split in splits}
            for step in Step
            if step in steps
        },
        total={
            split: interval(values[split][steps] - values[split][frozenset()], confidence=confidence)
            for split in splits
        },
    )


def shapley(
    players: frozenset[_Player], values: Mapping[frozenset[_Player], Values]
) -> dict[_Player, Values]:
    """Each player's φ.

    Args:
        values: v of every subset of `players`; all of one shape.
    """
    count = len(players)
    found: dict[_Player, Values] = {}
    for player in players:
        others = players - {player}
        worth = np.zeros_like(values[players], dtype=np.float64)
        for size in range(count):
            weight = math.factorial(size) * math.factorial(count - size - 1) / math.factorial(count)
            for before in _subsets(others, size):
                worth += weight * (values[before | {player}] - values[before])
        found[player] = worth
    return found


def interval(difference: Values, *, confidence: float) -> Interval:
    """Student's interval of the crossed model (see `statistics`) for the mean of a difference, in pp.

    A part of a gain is a mean of several differences, so it is no whole number and is not resampled as such.

    Args:
        difference: Shape (seeds, examples), at least two of each.
    """
    seeds, examples = difference.shape
    by_seed, by_example = difference.mean(axis=1), difference.mean(axis=0)
    mean = float(difference.mean())
    residual = difference - by_seed[:, None] - by_example + mean
    square = POINTS**2
    spread = Spread(
        seeds=seeds,
        examples=examples,
        rows=float(by_seed.var(ddof=1)) / seeds * square,
        columns=float(by_example.var(ddof=1)) / examples * square,
        rest=float((residual**2).sum()) / ((seeds - 1) * (examples - 1)) / (seeds * examples) * square,
    )
    reach = spread.half_width(confidence)
    return Interval(mean * POINTS, mean * POINTS - reach, mean * POINTS + reach)


def _subsets(of: frozenset[_Player], size: int) -> list[frozenset[_Player]]:
    # Sorted, since the order of a set, and so of a sum, is another in every process.
    return [frozenset(chosen) for chosen in combinations(sorted(of, key=str), size)]
