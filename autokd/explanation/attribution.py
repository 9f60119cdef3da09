"""Where the gain beyond the default comes from, in studies of rules 1 and 2; later ones have a longer chain.

A later study's chain begins at the own model (`autokd.explanation.steps`). Here the steps are T and α, the
transfer set, and the position, from the default to the answer. What a step adds depends on which others were
taken before, so each gets its Shapley value, the average over all orders (`autokd.statistics.shapley`). The
values add up to the answer minus the default.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from autokd.core.setting import DEFAULT, Pair, Setting, Split, moved
from autokd.recommendation.evidence import JUDGED
from autokd.statistics.paired import Interval, crossed_interval
from autokd.statistics.shapley import Values, shapley, subsets


class Step(StrEnum):
    """A step to the answer, in the order in which steps are taken and shown."""

    PRIOR = "prior"
    BUDGET = "budget"
    EXAMPLES = "examples"
    TEACHER = "teacher"
    TUNING = "T and α"
    """By rules 1 and 2 everything of the setting that is tuned, except the transfer set."""
    TRANSFER_SET = "transfer set"
    """By rules 1 and 2, what is `EXAMPLES` and part of `TEACHER` later."""
    POSITION = "position"
    """The pair is reversed, and the student adopts the model that results."""


Taken = frozenset[Step]
"""The steps that were taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribution:
    """What each step adds, in pp, by split.

    Attributes:
        parts: Gain of each step that the answer has, in the order of `Step`.
        total: The answer minus the own model, or minus the default; the means of the parts add up to it.
        left_out: Why the answer does not have the other steps; empty by rules 1 and 2.
        beyond_default: Whether the steps begin at the default instead of the own model, as by rules 1 and 2.
    """

    parts: Mapping[Step, Mapping[Split, Interval]]
    total: Mapping[Split, Interval]
    left_out: Mapping[Step, str] = field(default_factory=dict)
    beyond_default: bool = True

    def to_json(self) -> dict[str, object]:
        """Return means and intervals by split and step, and the steps that are left out with the reason."""
        left_out = {step.value: why for step, why in self.left_out.items()}
        by_split: dict[str, object] = {
            str(split): {
                "parts": {step.value: intervals[split].to_json() for step, intervals in self.parts.items()},
                "total": total.to_json(),
            }
            for split, total in self.total.items()
        }
        return by_split if self.beyond_default else {**by_split, "left_out": left_out}


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
