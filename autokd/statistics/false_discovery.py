"""How many pairs of a batch beat the default, with few chance results among them: a count, not a verdict.

The verdict of a pair has the error rate of one pair, whatever else is in the batch. Among 90 pairs some would
then be `tuned` by chance alone, so the batch as a whole needs this count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

RATE: Final = 0.05


@dataclass(frozen=True, slots=True)
class Discoveries:
    """`count` of the judged pairs beat the default, an expected share `rate` of them by chance alone."""

    count: int
    pairs: int
    rate: float = RATE

    def __str__(self) -> str:
        return f"{self.count} of {self.pairs} beat the default at {self.rate:.0%} false discoveries"

    def to_json(self) -> dict[str, int | float]:
        return {"count": self.count, "pairs": self.pairs, "false_discovery_rate": self.rate}


def discoveries(p_values: Sequence[float | None], *, rate: float = RATE) -> Discoveries:
    """Count the pairs that beat the default, by the rule of Benjamini and Hochberg.

    Source: Benjamini and Hochberg 1995, Journal of the Royal Statistical Society B 57, pp. 289-300. It holds
    for pairs that are positively dependent, as those that share examples and participants are.

    Args:
        p_values: One-sided p-value of each judged pair; None, if no winner can beat the default, counts as 1.
    """
    # Imported here: scipy.stats takes a while to load, and few commands count discoveries.
    from scipy.stats import false_discovery_control

    values = [1.0 if value is None else value for value in p_values]
    count = int((false_discovery_control(values) <= rate).sum()) if values else 0
    return Discoveries(count=count, pairs=len(values), rate=rate)
