"""A data set as a value. NumPy rather than torch: Ray shares NumPy arrays between workers without copying."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """Labelled images that a federation is cut from.

    Attributes:
        images: uint8 (or float32, of data that are no pixels), shape (n, channels, height, width).
        labels: int64 class indices, shape (n,).
        classes: Names by class index.
        mean: Per channel, in units of the stored pixel values, shape (channels,).
        std: Likewise.
    """

    images: NDArray[np.uint8] | NDArray[np.float32]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
