"""Data sets of federations: built-in ones by name, others from a source."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from autokd.config.images import ImageShape
from autokd.config.sources import AnySource
from autokd.data.dataset import Dataset
from autokd.data.mapped_arrays import pieces
from autokd.errors import PlanError, UnknownName

_log = logging.getLogger(__name__)


def load(recipe: str | AnySource, base: Path = Path(), *, code_folder: Path | None = None) -> Dataset:
    """Return a data set, whose arrays are read-only.

    Args:
        recipe: Name of a built-in data set, or a source of images.
        base: Folder that paths are relative to.
        code_folder: Folder that own code is in; see `autokd.core.import_factory.code_of`.

    Raises:
        UnknownName: If no data set has that name.
        PlanError: If the images cannot be read.
    """
    if not isinstance(recipe, str):
        dataset = _from_source(recipe, base, code_folder)
    elif recipe in DATASETS:
        dataset = DATASETS[recipe]()
    else:
        hint = "For images of your own give a mapping, e.g. {kind: folder, path: images}."
        raise UnknownName(kind="dataset", name=recipe, known=DATASETS, hint=hint)
    for array in (dataset.images, dataset.labels):
        array.setflags(write=False)
    return dataset


def _from_source(source: AnySource, base: Path, code_folder: Path | None) -> Dataset:
    # Imported here: built-in data sets do not need it.
    from autokd.data.sources import read

    try:
        data = read(source, base, ImageShape(), code_folder=code_folder)
    except PlanError as error:
        raise PlanError(source="federation", field="dataset", problem=str(error)) from error
    for note in data.notes:
        _log.warning("federation.dataset: %s", note)
    mean, std = ((), ()) if data.is_tensor else _moments(data.images)
    return Dataset(images=data.images, labels=data.labels, classes=data.classes, mean=mean, std=std)


def _moments(images: NDArray[Any]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and standard deviation by channel, to three digits: no rounding error enters a hash."""
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
        # A constant channel is not scaled.
        deviations.append(round(deviation, 3) or 1.0)
    return tuple(means), tuple(deviations)


def _digits() -> Dataset:
    """1,797 handwritten digits of 13 writers, 8x8 pixels of 0 to 16, bundled with scikit-learn.

    Source: Alpaydin, Kaynak 1998, Optical Recognition of Handwritten Digits, doi:10.24432/C50P49 (its test
    part).
    """
    # Imported here: it takes about a second, and a federation on disk does not need it.
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images = bunch.images.astype(np.uint8)[:, None]
    labels = bunch.target.astype(np.int64)
    classes = tuple(str(digit) for digit in range(10))
    # Moments of all images, as constants: no rounding error of another machine enters the hash.
    return Dataset(images=images, labels=labels, classes=classes, mean=(4.884,), std=(6.017,))


DATASETS: Final[Mapping[str, Callable[[], Dataset]]] = MappingProxyType({"digits": _digits})
"""What a recipe may name."""
