"""Checks of a federation from disk: types, shapes and ranges of all arrays.

Hashes show that nothing has changed since it was written, not who wrote it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autokd.config.external import ExternalFederation
from autokd.config.federation import AnyFederation, ExternalArchitecture
from autokd.data.mapped_arrays import pieces
from autokd.federation.federation import Federation
from autokd.federation.hashing import layout_arrays


def problems(federation: Federation) -> Iterator[str]:
    """Yield a message for each array that is not as it must be."""
    data, classes = federation.data, len(federation.data.classes)
    examples = len(data.labels) if data.labels.ndim == 1 else -1
    dimensions = max(2, data.images.ndim) if data.is_tensor else 4
    types: tuple[type[np.generic], ...] = (np.float32, np.int64) if data.is_tensor else (np.uint8, np.float32)
    images = any(_is(data.images, dtype, dimensions) for dtype in types)
    if not images or len(data.images) != examples or 0 in data.images.shape:
        yield "images are not uint8 of shape (examples, channels, height, width), one for each label"
        return
    if data.images.dtype == np.float32 and not all(np.isfinite(piece).all() for piece in pieces(data.images)):
        yield "images are not all finite numbers"
    if not _is(data.labels, np.int64, 1) or not _within(data.labels, classes):
        yield f"labels are not integers from 0 to {classes - 1}"
        return
    channels = 0 if data.is_tensor else data.images.shape[1]
    if not len(data.mean) == len(data.std) == channels or not all(value > 0 for value in data.std):
        yield f"mean and std are not {channels} numbers each, the latter positive"
    for number, participant in enumerate(federation.participants):
        if isinstance(participant.architecture, ExternalArchitecture):
            if not _labels_fit(participant.architecture, classes):
                yield f"architectures.{number}.labels are not one output, or none, for each class"
            if not _is_named(participant.architecture, federation.recipe, number):
                yield f"architectures.{number} is not the one that the recipe names"
    shape = (len(federation.participants), examples, classes)
    if not _is(federation.logits, np.float32, 3) or federation.logits.shape != shape:
        yield f"logits are not float32 of shape {shape}"
    for name, rows in layout_arrays(federation).items():
        if not _is(rows, np.int64, 1) or not _within(rows, examples):
            yield f"{name} holds no indices of the {examples} examples"
        elif len(np.unique(rows)) != len(rows):
            yield f"{name} names an example twice"
        elif not len(rows) and name != "public":
            yield f"{name} is empty"


def _labels_fit(architecture: ExternalArchitecture, classes: int) -> bool:
    outputs = [output for output in architecture.labels if output >= 0]
    return (
        len(architecture.labels) == classes
        and len(set(outputs)) == len(outputs)
        and max(outputs, default=-1) < architecture.outputs
    )


def _is_named(architecture: ExternalArchitecture, recipe: AnyFederation, number: int) -> bool:
    """Return whether the code that would be run is what the recipe names."""
    if not isinstance(recipe, ExternalFederation):
        return False
    named = recipe.participants[number]
    network = (architecture.name, architecture.options, architecture.input)
    return network == (named.architecture.name, named.architecture.options, named.input)


def _is(array: NDArray[np.generic], dtype: type[np.generic], dimensions: int) -> bool:
    return bool(array.dtype == dtype) and array.ndim == dimensions


def _within(indices: NDArray[Any], size: int) -> bool:
    return not indices.size or bool(indices.min() >= 0 and indices.max() < size)
