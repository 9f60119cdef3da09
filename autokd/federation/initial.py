"""Untrained students: what their initial models get right, by seed, since each run has weights of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autokd.compute.device import Compute
from autokd.config.study import CONFIRMATION_SEEDS
from autokd.core.setting import Split
from autokd.federation.federation import INITIAL_SEEDS, Federation, network
from autokd.models.inference import logits_of

Initial = Mapping[int, Mapping[Split, NDArray[np.bool_]]]
"""Correctness by participant and split, shape (seeds, examples)."""


def evaluate_initial(federation: Federation, compute: Compute) -> Initial:
    """Return what each untrained student gets right with the initial weights of the confirmation's seeds."""
    found: dict[int, dict[Split, NDArray[np.bool_]]] = {}
    for number in sorted(federation.recipe.untrained):
        models = [
            compute.place(network(federation, number, seed=CONFIRMATION_SEEDS + index))
            for index in range(INITIAL_SEEDS)
        ]
        found[number] = {
            split: np.stack(
                [
                    logits_of(model, federation.data, compute, rows).argmax(axis=1)
                    == federation.data.labels[rows]
                    for model in models
                ]
            )
            for split, rows in federation.splits.items()
        }
    return found


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
    found: dict[int, dict[Split, NDArray[np.bool_]]] = {}
    for number in sorted(federation.recipe.untrained):
        found[number] = {}
        for split, rows in federation.splits.items():
            right = arrays[f"{number}.{split}"]
            if right.shape != (INITIAL_SEEDS, len(rows)):
                raise ValueError(f"{number}.{split} has the shape {right.shape}")
            found[number][split] = right.astype(np.bool_)
    return found
