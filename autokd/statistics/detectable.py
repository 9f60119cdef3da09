"""The smallest gain that so many examples can show, and whether that is enough."""

from __future__ import annotations

import math
from typing import Final

from autokd.statistics.paired import VarianceComponents

_CHANGED: Final = 0.1
"""Share of a split's predictions that a distilled model changes, from wrong to right or the reverse."""


def detectable(examples: float, confidence: float) -> float:
    """Return the smallest gain that a split tells from 0 with a power of 80%, in pp.

    A tenth of the predictions are assumed to change, from right to wrong or the other way.

    Args:
        examples: Number of examples, or of effective ones if they are weighted.
        confidence: Confidence of the interval that must exclude 0.
    """
    if examples < 2:
        return math.inf
    variance = 100**2 * _CHANGED / examples
    components = VarianceComponents(
        seeds=1, examples=math.floor(examples), seed=0.0, example=variance, residual=0.0
    )
    return components.detectable(confidence)


def too_few(examples: float, confidence: float, effect: float) -> str | None:
    """Return in words that a split has too few examples to show a gain; None if it has enough.

    Args:
        examples, confidence: As for `detectable`.
        effect: Gain that is sought, in pp.
    """
    smallest = detectable(examples, confidence)
    if smallest <= effect:
        return None
    needed = math.ceil(examples * (smallest / effect) ** 2) if math.isfinite(smallest) else None
    more = f"; about {needed} examples would do" if needed else ""
    return (
        f"{examples:.0f} examples are few: a gain below {smallest:.1f} pp will hardly be told from nothing, "
        f"and {effect:g} pp are sought{more}"
    )
