"""Untrained students on disk: what their initial models get right, by seed, since each run has its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autokd.core.setting import Split
from autokd.federation.federation import INITIAL_SEEDS, Federation

Initial = Mapping[int, Mapping[Split, NDArray[np.bool_]]]
"""Correctness by participant and split, shape (seeds, examples)."""


def initial_arrays(federation: Federation) -> dict[str, NDArray[Any]]:
    """Return the arrays to write, by name: `1.test`, ..."""
    return {
        f"{number}.{split}": right.astype(np.uint8)
        for number, by_split in federation.initial.items()
        for split, right in by_split.items()
    }


def initial_of(arrays: Mapping[str, NDArray[Any]], federation: Federation) -> Initial:
    """Return what was written.

    Raises:
        LookupError: If an array is missing.
        ValueError: If one has another shape.
    """
    correct: dict[int, dict[Split, NDArray[np.bool_]]] = {}
    for number in sorted(federation.recipe.untrained):
        correct[number] = {}
        for split, rows in federation.splits.items():
            right = arrays[f"{number}.{split}"]
            if right.shape != (INITIAL_SEEDS, len(rows)):
                raise ValueError(f"{number}.{split} has the shape {right.shape}")
            correct[number][split] = right.astype(np.bool_)
    return correct
