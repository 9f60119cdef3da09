"""Which of a student's candidates may teach it together: a chain that grows greedily, beyond noise only.

A target is made of stored outputs, so what it gets right of the validation examples is known without a run.
The chain starts with the candidate whose target is right most often. Each step adds the one that makes the
target of all so far right most often. How far a search may follow the chain is decided by the same examples:
a longer part of it counts only if its target is better, beyond noise, than that of the longest part that
counted so far. Which part teaches best is then found by runs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from autokd.core.records import TrialRecord
from autokd.core.setting import Setting

OWN: Final = 0
"""Rank of the student's own model; teachers have their places in the chain, from 1."""
_CHAIN: Final = "chain"
_REACH: Final = "reach"
_ERROR: Final = 0.05
"""Probability with which a chain grows by one step although all of its parts are equally good."""

Array = NDArray[np.float64]
Right = Callable[[tuple[int, ...]], Array]
"""Returns on which examples the target of some teachers is right, shape (examples,)."""


@dataclass(frozen=True, slots=True)
class Growth:
    """The chain of a student's teachers.

    In a search that several students share, settings name teachers by their rank in the chain, so that what
    the first three teachers of one student are worth is known of another's.

    Attributes:
        chain: All candidates; the first are those that teach.
        reach: How many of them may teach together.
    """

    student: int
    chain: tuple[int, ...]
    reach: int

    def __post_init__(self) -> None:
        if not 1 <= self.reach <= len(self.chain):
            raise ValueError(f"reach={self.reach} is not within the chain {self.chain}")

    @property
    def teachers(self) -> tuple[str, ...]:
        """What the dimension `teachers` of a setting may be: each part of the chain within reach, without the
        own model and with it.
        """
        parts = (self.chain[:count] for count in range(1, self.reach + 1))
        return tuple(_text(chosen) for part in parts for chosen in (part, (*part, self.student)))

    @property
    def attributes(self) -> dict[str, int | str]:
        """The attributes of a group's study that hold its chain; see `stored_growth`."""
        return {_CHAIN: " ".join(map(str, self.chain)), _REACH: self.reach}

    def permits(self, ranked: Setting) -> bool:
        """Return whether a setting by ranks stays within the reach; without teachers it means all of them."""
        if ranked.teachers is None:
            return ranked.alpha == 0 or self.reach == len(self.chain)
        return ranked.teachers[-1] <= self.reach

    def ranked(self, setting: Setting) -> Setting:
        """Return a setting with ranks in place of participants."""
        ranks = {number: rank for rank, number in enumerate(self.chain, start=1)} | {self.student: OWN}
        return _translated(setting, ranks.__getitem__)

    def ranked_trial(self, trial: TrialRecord) -> TrialRecord:
        """Return a trial with a setting by ranks."""
        return replace(trial, setting=self.ranked(trial.setting))

    def numbered(self, ranked: Setting) -> Setting:
        """Return a setting with participants in place of ranks."""
        return _translated(ranked, (self.student, *self.chain).__getitem__)


def stored_growth(attributes: Mapping[str, Any]) -> Growth | None:
    """Return the chain of a group's study from its attributes; None if they have none, or somebody else's."""
    try:
        chain = tuple(map(int, attributes[_CHAIN].split()))
        return Growth(int(attributes["student"]), chain, int(attributes[_REACH]))
    except (AttributeError, LookupError, TypeError, ValueError):
        return None


def ranks_of(most: int) -> tuple[str, ...]:
    """Return the dimension `teachers` by ranks, for a chain of which at most so many teach together."""
    return Growth(OWN, tuple(range(1, most + 1)), most).teachers


def grow(
    candidates: Iterable[int],
    right: Right,
    *,
    student: int,
    most: int,
    weights: Sequence[float] | Array | None = None,
) -> Growth:
    """Return the chain of a student's candidates; their order does not matter.

    Two targets are compared on the same examples, by the mean of their difference and its standard error.
    Each step chooses the best of several, and a longer part may count where a shorter one did not: so its
    gain has to be as large as chance reaches with probability `_ERROR` among all targets looked at since.

    Args:
        most: Number of teachers at most.
        weights: Weights of the examples, summing to anything positive; None if each counts 1.
    """
    left = sorted(set(candidates))
    chain: list[int] = []
    best: Array | None = None
    reach, looked_at = 1, 0
    while left and len(chain) < most:
        answers = {number: right((*chain, number)) for number in left}
        added = max(left, key=lambda number: (float(np.average(answers[number], weights=weights)), -number))
        chain.append(added)
        left.remove(added)
        looked_at += len(answers)
        if best is None:
            best, looked_at = answers[added], 0
        elif _beyond_noise(answers[added], best, weights, among=looked_at):
            best, reach, looked_at = answers[added], len(chain), 0
    return Growth(student, (*chain, *left), reach)


def _beyond_noise(
    longer: Array, shorter: Array, weights: Sequence[float] | Array | None, *, among: int
) -> bool:
    """Return whether a target is better than another by more than the best of so many is by chance."""
    difference = np.asarray(longer, dtype=np.float64) - shorter
    shares = np.full(len(difference), 1 / len(difference)) if weights is None else np.asarray(weights)
    shares = shares / shares.sum()
    gain = float(shares @ difference)
    error = math.sqrt(float(shares**2 @ (difference - gain) ** 2))
    return gain > 0 and gain >= float(ndtri(1 - _ERROR / among)) * error


def _translated(setting: Setting, translate: Callable[[int], int]) -> Setting:
    if setting.teachers is None:
        return setting
    return replace(setting, teachers=tuple(sorted(map(translate, setting.teachers))))


def _text(numbers: Iterable[int]) -> str:
    return " ".join(map(str, sorted(numbers)))
