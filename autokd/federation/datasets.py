"""The data sets that federations are cut from, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import numpy as np

from autokd.errors import UnknownName
from autokd.federation._federation import Dataset


def load(name: str) -> Dataset:
    """A data set by its name in a recipe; the same arrays each time, read-only.

    Raises:
        UnknownName: If there is none of that name.
    """
    if name not in DATASETS:
        raise UnknownName(kind="dataset", name=name, known=DATASETS)
    return DATASETS[name]()


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
