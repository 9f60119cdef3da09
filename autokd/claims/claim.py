"""An observation: what the poster claims, what this federation shows of it, and how that was found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from autokd.core.setting import Pair
from autokd.statistics.dyadic import dyadic_interval
from autokd.statistics.paired import Interval

Values = Mapping[Pair, float]
"""A figure of each pair."""


class Status(StrEnum):
    """What became of a claim of the poster's in this federation."""

    REPRODUCED = "reproduced"
    NOT_REPRODUCED = "not reproduced"
    OPEN = "cannot be told"
    """The interval holds both answers."""
    NOT_MEASURABLE = "not measurable here"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One claim and what there is to say about it.

    Attributes:
        key: For programs.
        claim: What the poster says.
        status: What became of it here.
        figure: The number that decides that, with an interval that resamples participants; None if there is
            none.
        unit: Of the figure: `pp` or `share of pairs`.
        pairs: Of how many pairs it is.
        source: `sweep`, `search` or `confirmation`; empty without a figure.
        how: What the figure is, and how noise was dealt with; or what is missing.
        beside: Further figures in the same unit, by name.
    """

    key: str
    claim: str
    status: Status
    figure: Interval | None = None
    unit: str = "pp"
    pairs: int = 0
    source: str = ""
    how: str
    beside: Mapping[str, Interval] = field(default_factory=dict)

    def to_json(self) -> dict[str, object]:
        """Plain values."""
        return {
            "observation": self.key,
            "poster": self.claim,
            "status": self.status.value,
            "figure": None if self.figure is None else self.figure.to_json(),
            "unit": self.unit,
            "pairs": self.pairs,
            "source": self.source or None,
            "how": self.how,
            "beside": {name: one.to_json() for name, one in self.beside.items()},
        }


def observed(
    key: str,
    claim: str,
    values: Values,
    *,
    threshold: float = 0.0,
    expected: float | None = None,
    unit: str = "pp",
    source: str,
    how: str,
    lacking: str,
    beside: Mapping[str, Values] | None = None,
) -> Claim:
    """The mean over pairs against what the poster says of it.

    Not reproduced if the whole interval lies below what is expected; else reproduced if the whole of it lies
    above `threshold`.

    Args:
        expected: The poster's figure, or `threshold` if it has none.
        lacking: What to say if the pairs are too few to tell how participants vary.
        beside: Further figures.
    """
    figure = over_pairs(values)
    if figure is None:
        return unknown(key, claim, f"{lacking} ({len(values)} pairs so far)")
    status = Status.OPEN
    if figure.high < (threshold if expected is None else expected):
        status = Status.NOT_REPRODUCED
    elif figure.low > threshold:
        status = Status.REPRODUCED
    others = {name: over_pairs(its) for name, its in (beside or {}).items()}
    return Claim(
        key=key,
        claim=claim,
        status=status,
        figure=figure,
        unit=unit,
        pairs=len(values),
        source=source,
        how=how,
        beside={name: one for name, one in others.items() if one is not None},
    )


def unknown(key: str, claim: str, lacking: str) -> Claim:
    """A claim that nothing can be said about."""
    return Claim(key=key, claim=claim, status=Status.NOT_MEASURABLE, how=lacking)


def over_pairs(values: Values) -> Interval | None:
    """The mean over pairs; None of pairs too few to tell how participants vary."""
    if not values:
        return None
    try:
        return dyadic_interval(values)
    except ValueError:
        return None
