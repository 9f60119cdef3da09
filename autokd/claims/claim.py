"""A claim of the poster, what this federation shows of it, and how that was measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from autokd.core.setting import Pair
from autokd.statistics.dyadic import dyadic_interval, dyadic_share
from autokd.statistics.paired import Interval

Values = Mapping[Pair, float]
"""One figure by pair."""


SHARE: Final = "share of pairs"
"""Unit of a share."""


class Status(StrEnum):
    """What this federation shows of a claim."""

    REPRODUCED = "reproduced"
    NOT_REPRODUCED = "not reproduced"
    OPEN = "cannot be told"
    """The interval allows both answers."""
    NOT_MEASURABLE = "not measurable here"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One claim of the poster and its figure in this federation.

    Attributes:
        key: Name for programs.
        statement: What the poster says.
        figure: The number that decides the status, with its interval; None if there is none.
        unit: Unit of the figure: `pp`, or `SHARE` for a share in [0, 1].
        pairs: Number of pairs behind the figure.
        source: `sweep`, `search` or `confirmation`; empty without a figure.
        how: What the figure is, and how noise was dealt with; or what is missing.
        beside: Further figures in the same unit, by name.
    """

    key: str
    statement: str
    status: Status
    figure: Interval | None = None
    unit: str = "pp"
    pairs: int = 0
    source: str = ""
    how: str
    beside: Mapping[str, Interval] = field(default_factory=dict)

    def to_json(self) -> dict[str, object]:
        """Return plain values."""
        return {
            "observation": self.key,
            "poster": self.statement,
            "status": self.status.value,
            "figure": None if self.figure is None else self.figure.to_json(),
            "unit": self.unit,
            "pairs": self.pairs,
            "source": self.source or None,
            "how": self.how,
            "beside": {name: interval.to_json() for name, interval in self.beside.items()},
        }


def measured(
    key: str,
    statement: str,
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
    """Return a claim decided by the mean over pairs.

    Not reproduced if the whole interval lies below `expected`; else reproduced if all of it lies above
    `threshold`.

    Args:
        expected: The poster's figure; `threshold` if it has none.
        lacking: What is missing if the pairs are too few to show how participants vary.
    """
    over = shares_of_pairs if unit == SHARE else over_pairs
    figure = over(values)
    if figure is None:
        return not_measurable(key, statement, f"{lacking} ({len(values)} pairs so far)")
    status = Status.OPEN
    if figure.high < (threshold if expected is None else expected):
        status = Status.NOT_REPRODUCED
    elif figure.low > threshold:
        status = Status.REPRODUCED
    others = {name: over(figures) for name, figures in (beside or {}).items()}
    return Claim(
        key=key,
        statement=statement,
        status=status,
        figure=figure,
        unit=unit,
        pairs=len(values),
        source=source,
        how=how,
        beside={name: interval for name, interval in others.items() if interval is not None},
    )


def not_measurable(key: str, statement: str, reason: str) -> Claim:
    """Return a claim that cannot be checked, with the reason."""
    return Claim(key=key, statement=statement, status=Status.NOT_MEASURABLE, how=reason)


def shares_of_pairs(values: Values) -> Interval | None:
    """Return the share of pairs whose figure is 1 and not 0; None as in `over_pairs`."""
    return _told(dyadic_share, values)


def of_more_pairs(swept: Claim, searched: Claim) -> Claim:
    """Return what the sweep shows, or what searches do where these show it of more pairs.

    So a sweep that has only begun takes nothing from what is known.
    """
    if searched.figure is None or (swept.figure is not None and swept.pairs >= searched.pairs):
        return swept
    return searched


def over_pairs(values: Values) -> Interval | None:
    """Return the mean over pairs; None if the pairs are too few to show how participants vary."""
    return _told(dyadic_interval, values)


def _told(interval: Callable[[Values], Interval], values: Values) -> Interval | None:
    if not values:
        return None
    try:
        return interval(values)
    except ValueError:
        return None
