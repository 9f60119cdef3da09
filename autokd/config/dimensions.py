"""Kinds of dimensions of a search space: values, ranges, and what is relative to a study recipe."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from autokd.config.base import Frozen
from autokd.config.numbers import Number, Whole


class Range(Frozen):
    """A continuous dimension; both ends are included."""

    low: Number
    high: Number
    log: bool = False

    @model_validator(mode="after")
    def _ordered(self) -> Range:
        if self.low > self.high:
            raise ValueError(f"low {self.low} lies above high {self.high}")
        if self.log and self.low <= 0:
            raise ValueError(f"a logarithmic range starts above 0, not at {self.low}")
        return self

    def __contains__(self, value: object) -> bool:
        return isinstance(value, int | float) and self.low <= value <= self.high


class Times(Frozen):
    """Values in multiples of the recipe's, so that a space fits recipes of any learning rate."""

    times: tuple[Annotated[Number, Field(gt=0)], ...] = Field(min_length=1)

    @field_validator("times")
    @classmethod
    def _no_value_twice(cls, times: tuple[float, ...]) -> tuple[float, ...]:
        if len(set(times)) < len(times):
            raise ValueError(f"lists a value twice: {', '.join(map(str, times))}")
        return times


Values = Annotated[tuple[Number, ...], Field(min_length=1)]
"""A dimension of listed values; a grid has only such dimensions."""

# NOTE: without a discriminator pydantic would also complain that an invalid Range is not a list.
Dimension = Annotated[
    Annotated[Range, Tag("Range")] | Annotated[Values, Tag("values")],
    Discriminator(lambda value: "Range" if isinstance(value, dict | Range) else "values"),
]

_ENDS: Final = frozenset(Range.model_fields)
Rates = Annotated[tuple[Number | None, ...], Field(min_length=1)]


def _kind_of_rates(value: object) -> str:
    if isinstance(value, Times):
        return "Times"
    # A single name that a range does not have is `times`, or meant to be.
    if isinstance(value, dict) and ("times" in value or (len(value) == 1 and not value.keys() & _ENDS)):
        return "Times"
    return "Range" if isinstance(value, dict | Range) else "values"


LearningRate = Annotated[
    Annotated[Times, Tag("Times")] | Annotated[Range, Tag("Range")] | Annotated[Rates, Tag("values")],
    Discriminator(_kind_of_rates),
]
"""Values, a range, or multiples of the recipe's."""
DOUBLING: Final = "doubling"
"""Epochs of a space that are 1, 2, 4, ... times the recipe's, up to its `search.max_epochs`."""
Budgets = Annotated[
    Annotated[Literal["doubling"], Tag("word")]
    | Annotated[tuple[Annotated[Whole, Field(ge=1)] | None, ...], Field(min_length=1), Tag("values")],
    Discriminator(lambda value: "word" if value == "doubling" else "values"),
]


def doublings(epochs: int, most: int) -> tuple[int, ...]:
    """Return epochs, doubled again and again below `most`, and `most`; `epochs` <= `most`."""
    doubled = [epochs]
    while 2 * doubled[-1] < most:
        doubled.append(2 * doubled[-1])
    return (*doubled, most) if most > epochs else (epochs,)


def rounded(rate: float) -> float:
    """Return a rate without the rounding error of a product: 0.3 and not 0.30000000000000004."""
    return float(f"{rate:.12g}")


def ends(dimension: Range | Times | tuple[float | None, ...] | None) -> tuple[float | None, ...]:
    """Return the values whose limits are those of the dimension."""
    match dimension:
        case Range():
            return dimension.low, dimension.high
        case Times():
            return dimension.times
        case _:
            return dimension or ()
