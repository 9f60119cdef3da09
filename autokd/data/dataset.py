"""A data set as a value. NumPy rather than torch: Ray shares NumPy arrays between workers without copying."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Inputs = NDArray[np.uint8] | NDArray[np.float32] | NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """Labelled examples of a federation.

    Attributes:
        images: The inputs. Images are uint8 (float32 if the data are no pixels), shape (n, channels, height,
            width). Tensors that are no images are float32 or int64, shape (n, ...).
        labels: int64 class indices, shape (n,).
        classes: Class names.
        mean: Mean of each channel, in units of the stored pixel values; empty for tensors, which networks
            get as they are.
        std: Standard deviation of each channel, in the same units.
    """

    images: Inputs
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def is_tensor(self) -> bool:
        """Whether the inputs are tensors that are no images."""
        return not self.mean

    @property
    def image_shape(self) -> tuple[int, int, int] | None:
        """Channels, height and width of an input; None if it has no such axes, or holds whole numbers."""
        if self.images.ndim != 4 or self.images.dtype == np.int64:
            return None
        _, channels, height, width = self.images.shape
        return channels, height, width
