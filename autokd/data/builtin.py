"""The data sets that federations are cut from: built-in ones by name, others from where a recipe says."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from autokd.config.external import AnySource
from autokd.data.dataset import Dataset
from autokd.data.mapped_arrays import pieces
from autokd.errors import PlanError, UnknownName


def load(recipe: str | AnySource, base: Path = Path()) -> Dataset:
    """A data set as a recipe names it; the same arrays each time, read-only.

    Args:
        recipe: A built-in one's name, or where images lie.
        base: The folder that paths start from.

    Raises:
        UnknownName: If there is none of that name.
        PlanError: If the images cannot be read.
    """
    if not isinstance(recipe, str):
        return _from_source(recipe, base)
    if recipe not in DATASETS:
        hint = "For images of your own give a mapping, e.g. {kind: folder, path: images}."
        raise UnknownName(kind="dataset", name=recipe, known=DATASETS, hint=hint)
    return DATASETS[recipe]()


def _from_source(source: AnySource, base: Path) -> Dataset:
    # Imported here: built-in data sets do without it.
    from autokd.data.sources import read
    from autokd.data.sources.labelled_images import Wanted

    try:
        found = read(source, base, Wanted())
    except PlanError as error:
        raise PlanError(source="federation", field="dataset", problem=str(error)) from error
    for array in (found.images, found.labels):
        array.setflags(write=False)
    mean, std = _moments(found.images)
    return Dataset(images=found.images, labels=found.labels, classes=found.classes, mean=mean, std=std)


def _moments(images: NDArray[np.uint8] | NDArray[np.float32]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation by channel, to three digits: no machine's rounding enters a hash."""
    means, deviations = [], []
    for channel in range(images.shape[1]):
        # Bytes are counted by value, in pieces: a copy of all as numbers would be eight times as large.
        values = images[:, channel]
        if values.dtype == np.uint8:
            counts = np.zeros(256, dtype=np.int64)
            for piece in pieces(values):
                counts += np.bincount(piece.reshape(-1), minlength=256)
            mean = float(counts @ np.arange(256) / counts.sum())
            deviation = math.sqrt(float(counts @ (np.arange(256) - mean) ** 2 / counts.sum()))
        else:
            mean, deviation = float(values.mean(dtype=np.float64)), float(values.std(dtype=np.float64))
        means.append(round(mean, 3))
        # A channel that never changes tells nothing, and is left as it is.
        deviations.append(round(deviation, 3) or 1.0)
    return tuple(means), tuple(deviations)


def _digits() -> Dataset:
    """1,797 handwritten digits of 13 writers, 8x8 pixels of 0 to 16, bundled with scikit-learn.

    Source: Alpaydin, Kaynak 1998, Optical Recognition of Handwritten Digits, doi:10.24432/C50P49 (its test
    part).
    """
    # Imported here, since it takes about a second and a federation found on disk does without.
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images = bunch.images.astype(np.uint8)[:, None]
    labels = bunch.target.astype(np.int64)
    for array in (images, labels):
        array.setflags(write=False)
    classes = tuple(str(digit) for digit in range(10))
    # Of all images, labels unseen; constants, so that no rounding of another machine enters the data's hash.
    return Dataset(images=images, labels=labels, classes=classes, mean=(4.884,), std=(6.017,))


DATASETS: Final[Mapping[str, Callable[[], Dataset]]] = MappingProxyType({"digits": _digits})
"""What a recipe may name."""
