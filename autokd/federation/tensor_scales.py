"""Whether all sources of a federation of tensors mean the same by a number."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from autokd.data.tensor_facts import TensorFacts
from autokd.federation.findings import Findings

_DIFFERENT: Final = 8.0
"""Ratio of the sizes of an entry in two sources that gets a warning, as for pixels without a scale."""
_NEAR: Final = 0.75
"""Largest distance from 0 of the mean of a standardised entry, and of the logarithm of its std. Sources that
were standardised together differ by less, unless the cases of one are of a kind of their own."""
_MOST: Final = 0.9
"""Share of the entries of a standardised source for which that holds: a rare value may be missing in it."""
_AWAY: Final = 2.0
"""Distance of the mean of an entry from 0, in its standard deviations, that no standardised one has."""
_WAY_OUT: Final = (
    "store all sources in one unit; input: {mean: [...], std: [...]} on a participant standardises them "
    "for its model"
)


def compare_tensors(facts: Mapping[str, TensorFacts], findings: Findings) -> None:
    """Note sources in which an entry of the first axis, e.g. a feature, means another number.

    Whole numbers are left out, since token ids have no scale. Sources that are standardised, or scaled to
    [0, 1], beside others whose numbers cannot be so are a problem: no network can be asked for both. All else
    gets a warning, since other cases can be as different; entries within [0, 1] everywhere, which may well be
    rare, are left out then.

    Args:
        facts: By field of the recipe, private data first.
        findings: Gets the problems and warnings.
    """
    usual = _usual(facts)
    for field, tensors in usual.items():
        if max(tensors.high) == min(tensors.low):
            findings.warn(field, f"all numbers of all its inputs are {tensors.low[0]:.4g}")
    if len(usual) < 2 or any(_some_are_scaled(usual, scale, findings) for scale in (_STANDARDISED, _UNIT)):
        return
    sizes = np.array([tensors.sizes for tensors in usual.values()])
    middle = np.median(sizes, axis=0)
    lows, highs = (np.array([getattr(tensors, end) for tensors in usual.values()]) for end in ("low", "high"))
    in_unit = (lows >= 0).all(axis=0) & (highs <= 1).all(axis=0)
    for (field, tensors), size in zip(usual.items(), sizes, strict=True):
        ratio = _ratio(size, middle)
        ratio[in_unit] = 1.0
        odd = np.flatnonzero(ratio >= _DIFFERENT)
        if not odd.size:
            continue
        entry = int(ratio.argmax())
        other = _nearest(usual, field, entry, float(middle[entry]))
        more = f" (and {odd.size - 1} more of {len(ratio)})" if odd.size > 1 else ""
        findings.warn(
            field,
            f"entry {entry}{more} of its inputs is {tensors.range_of(entry)}, that of {other} "
            f"{usual[other].range_of(entry)}: another unit, or standardised in one of the two?",
        )


def _is_standardised(tensors: TensorFacts) -> bool:
    """Return whether most entries that vary have about the mean 0 and the standard deviation 1."""
    mean, std, varies = _moments(tensors)
    near = (abs(mean) <= _NEAR) & (abs(np.log(std)) <= _NEAR)
    return bool(varies.any() and near[varies].mean() >= _MOST and min(tensors.low) < 0)


def _never_standardised(tensors: TensorFacts) -> bool:
    mean, std, varies = _moments(tensors)
    away = (abs(mean) >= _AWAY * std) | (std >= _DIFFERENT) | (std <= 1 / _DIFFERENT)
    return bool(varies.any() and away[varies].mean() > 0.5)


def _is_unit(tensors: TensorFacts) -> bool:
    """Return whether all entries lie in [0, 1], and most reach far into it."""
    return min(tensors.low) >= 0 and max(tensors.high) <= 1 and float(np.median(tensors.high)) >= 0.5


def _never_unit(tensors: TensorFacts) -> bool:
    return float(np.median(np.maximum(np.abs(tensors.low), np.abs(tensors.high)))) >= 2.0


@dataclass(frozen=True, slots=True)
class _Scale:
    """What sources are scaled to: in words, whether one is, and whether one can never be."""

    words: str
    holds: Callable[[TensorFacts], bool]
    never: Callable[[TensorFacts], bool]


_STANDARDISED: Final = _Scale("are standardised", _is_standardised, _never_standardised)
_UNIT: Final = _Scale("are scaled to [0, 1]", _is_unit, _never_unit)


def _some_are_scaled(facts: Mapping[str, TensorFacts], scale: _Scale, findings: Findings) -> bool:
    """Note sources that are not scaled where others are; return whether there are any.

    It is a problem if an entry is several times as large in one of the two, and else a warning.
    """
    first = next((field for field, tensors in facts.items() if scale.holds(tensors)), None)
    others = {
        field: tensors
        for field, tensors in facts.items()
        if not scale.holds(tensors) and scale.never(tensors)
    }
    if first is None or not others:
        return False
    theirs = facts[first]
    for field, tensors in others.items():
        ratio = _ratio(np.array(tensors.sizes), np.array(theirs.sizes))
        entry = int(ratio.argmax())
        problem = (
            f"its inputs are in another unit than those of {first}, which {scale.words}: entry {entry} is "
            f"{tensors.range_of(entry)} (mean {tensors.mean[entry]:.4g}, std {tensors.std[entry]:.4g}), and "
            f"{theirs.range_of(entry)} there"
        )
        if ratio[entry] >= _DIFFERENT:
            findings.problem(field, f"{problem}; {_WAY_OUT}")
        else:
            findings.warn(field, f"{problem}, or so it seems")
    return True


def _moments(tensors: TensorFacts) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Return means, standard deviations (1 for what does not vary), and which entries vary."""
    std = np.array(tensors.std)
    return np.array(tensors.mean), np.where(std > 0, std, 1.0), std > 0


def _ratio(size: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how many times one is as large as the other, at least 1; 1 where one of them is 0."""
    ratio = np.maximum(size, other) / np.maximum(np.minimum(size, other), 1e-12)
    ratio[(size == 0) | (other == 0)] = 1.0
    return ratio


def _usual(facts: Mapping[str, TensorFacts]) -> dict[str, TensorFacts]:
    """Return the sources of floating-point numbers of the first one's shape; others are refused elsewhere."""
    shapes = [tensors.shape for tensors in facts.values()]
    return {
        field: tensors
        for field, tensors in facts.items()
        if tensors.shape == shapes[0] and not tensors.is_whole
    }


def _nearest(facts: Mapping[str, TensorFacts], field: str, entry: int, size: float) -> str:
    """Return another source in which an entry is about of the usual size."""
    others = [other for other in facts if other != field]
    return min(others, key=lambda other: abs(facts[other].sizes[entry] - size))
