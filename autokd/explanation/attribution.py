"""Where the gain comes from: what each step from the default to the answer adds, whatever their order.

The steps are T and α, the transfer set, and the position. What a step adds depends on which others were taken
before, so each gets its Shapley value, the average over all orders (`autokd.statistics.shapley`). The values
add up to the answer minus the default.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from autokd.core.setting import DEFAULT, Pair, Setting, Split, moved
from autokd.recommendation.evidence import JUDGED
from autokd.statistics.paired import Interval, crossed_interval
from autokd.statistics.shapley import Values, shapley, subsets


class Step(StrEnum):
    """A step from the default to the answer."""

    TUNING = "T and α"
    """Everything of the setting that is tuned, except the transfer set."""
    TRANSFER_SET = "transfer set"
    POSITION = "position"
    """The pair is reversed, and the student adopts the model that results."""


Taken = frozenset[Step]
"""The steps that were taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribution:
    """What each step adds, in pp, by split.

    Attributes:
        parts: Gain of each step, in the order of `Step`; without the position if the pair is used as it is.
        total: The answer minus the default; the means of the parts add up to it.
    """

    parts: Mapping[Step, Mapping[Split, Interval]]
    total: Mapping[Split, Interval]

    def to_json(self) -> dict[str, object]:
        """Return means and intervals by split and step."""
        return {
            str(split): {
                "parts": {step.value: intervals[split].to_json() for step, intervals in self.parts.items()},
                "total": total.to_json(),
            }
            for split, total in self.total.items()
        }


def corners(pair: Pair, setting: Setting, reverse: Setting | None) -> Mapping[Taken, tuple[Pair, Setting]]:
    """Return the pair and setting to run for each subset of the steps to the answer, `setting`.

    T and α are tuned for the direction in which they are used, so the reversed pair, if it is to be used, has
    an answer of its own, `reverse`.
    """
    runs = {taken: (pair, variant) for taken, variant in between(setting).items()}
    if reverse is not None:
        position = frozenset({Step.POSITION})
        runs |= {taken | position: (pair.reverse, variant) for taken, variant in between(reverse).items()}
    return runs


def between(setting: Setting) -> Mapping[Taken, Setting]:
    """Return the default, `setting`, and each of them with the other's transfer set."""
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
    """Divide the gain among the steps, on confirmation and test.

    `correct` returns the correctness with some of the steps taken, times the weight of each example on the
    student's target distribution, shape (seeds, examples), the same for all.
    """
    values = {split: {taken: correct(taken, split) for taken in subsets(steps)} for split in JUDGED}
    shares = {split: shapley(steps, values[split]) for split in JUDGED}
    whole = {split: values[split][steps] - values[split][frozenset()] for split in JUDGED}

    def intervals(differences: Mapping[Split, Values]) -> Mapping[Split, Interval]:
        return {split: crossed_interval(differences[split], confidence=confidence) for split in JUDGED}

    parts = {step: {split: shares[split][step] for split in JUDGED} for step in Step if step in steps}
    return Attribution(parts={step: intervals(part) for step, part in parts.items()}, total=intervals(whole))
