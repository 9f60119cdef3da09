"""Whether all sources of a federation of tensors mean the same by a number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from autokd.data.tensor_facts import TensorFacts
from autokd.federation.findings import Findings

_DIFFERENT: Final = 8.0
"""Ratio of the sizes of an entry in two sources that gets a warning, as for pixels without a scale."""


def compare_tensors(facts: Mapping[str, TensorFacts], findings: Findings) -> None:
    """Warn of sources in which an entry of the first axis, e.g. a feature, is far larger or smaller.

    Whole numbers are left out, since token ids have no scale, and entries within [0, 1] everywhere, which may
    well be rare. Nothing is refused: other cases can be as different.

    Args:
        facts: By field of the recipe, private data first.
    """
    usual = _usual(facts)
    for field, tensors in usual.items():
        if max(tensors.high) == min(tensors.low):
            findings.warn(field, f"all numbers of all its inputs are {tensors.low[0]:.4g}")
    if len(usual) < 2:
        return
    sizes = np.array([tensors.sizes for tensors in usual.values()])
    middle = np.median(sizes, axis=0)
    lows, highs = (np.array([getattr(tensors, end) for tensors in usual.values()]) for end in ("low", "high"))
    in_unit = (lows >= 0).all(axis=0) & (highs <= 1).all(axis=0)
    for (field, tensors), size in zip(usual.items(), sizes, strict=True):
        ratio = np.maximum(size, middle) / np.maximum(np.minimum(size, middle), 1e-12)
        ratio[in_unit | (size == 0) | (middle == 0)] = 1.0
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
