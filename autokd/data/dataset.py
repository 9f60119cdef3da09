"""A data set as a value. NumPy rather than torch: Ray shares NumPy arrays between workers without copying."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """Labelled images of a federation.

    Attributes:
        images: uint8 (float32 if the data are no pixels), shape (n, channels, height, width).
        labels: int64 class indices, shape (n,).
        classes: Class names.
        mean: Mean of each channel, in units of the stored pixel values.
        std: Standard deviation of each channel, in the same units.
    """

    images: NDArray[np.uint8] | NDArray[np.float32]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
