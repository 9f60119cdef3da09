"""How many pairs of a batch beat the default, of which few are chance: a count, not a verdict.

The verdict of a pair has the error rate of one pair, whatever else is in the batch. Among 90 pairs some would
then be `tuned` by chance alone; how many pairs can be said to beat the default all in all is answered here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

RATE: Final = 0.05


@dataclass(frozen=True, slots=True)
class Discoveries:
    """Attributes:
    count: Pairs of which it can be said that they beat the default.
    pairs: That were judged.
    rate: Expected share of those that do not, among those of which it is said.
    """

    count: int
    pairs: int
    rate: float = RATE

    def __str__(self) -> str:
        return f"{self.count} of {self.pairs} beat the default at {self.rate:.0%} false discoveries"

    def to_json(self) -> dict[str, Any]:
        return {"count": self.count, "pairs": self.pairs, "false_discovery_rate": self.rate}


def discoveries(p_values: Sequence[float | None], *, rate: float = RATE) -> Discoveries:
    """The step-up rule: the largest k of which the k-th smallest p-value is at most rate·k/m, of m pairs.

    Source: Benjamini and Hochberg 1995, Journal of the Royal Statistical Society B 57, pp. 289-300. It holds
    for pairs that are positively dependent, as those that share examples and participants are.

    Args:
        p_values: One-sided, of each judged pair; None where no winner can beat the default, which counts
            against the others like a p-value of 1.
        rate: In (0, 1).
    """
    ordered = np.sort([1.0 if one is None else one for one in p_values])
    passed = np.flatnonzero(ordered <= rate * np.arange(1, len(ordered) + 1) / max(len(ordered), 1))
    return Discoveries(count=int(passed[-1]) + 1 if passed.size else 0, pairs=len(ordered), rate=rate)
