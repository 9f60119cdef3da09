"""Images that were stored normalised: the recipe says with what, and it is undone."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from autokd.config.images import Normalisation
from autokd.data.sources.labelled_images import Pixels
from autokd.data.temporary_arrays import empty
from autokd.errors import PlanError
from autokd.text.quoting import counted

_OUTSIDE: Final = 0.02
"""How far from [0, 1] a pixel may come out: a mean may have been written with two digits."""
_ROUNDED: Final = 0.02
"""How far from a whole number 255 times a pixel may be that was a byte."""


def denormalised(images: NDArray[Any], with_: Normalisation, *, name: str) -> Pixels:
    """Return images in [0, 1]: number x std + mean; as bytes where they were bytes once.

    Raises:
        PlanError: If they do not come out in [0, 1], or not one number is given for each channel.
    """
    channels = images.shape[1]

    def refused(problem: str) -> PlanError:
        return PlanError(source=name, field="normalised", problem=problem)

    numbers = []
    for field in ("mean", "std"):
        values = getattr(with_, field)
        if len(values) not in (1, channels):
            raise refused(f"{field} has {counted(len(values), 'number')} for {counted(channels, 'channel')}")
        numbers.append(np.array(values, dtype=np.float64).reshape(-1, 1, 1))
    mean, std = numbers
    floats: NDArray[np.float32] = empty(images.shape, np.float32)
    low, high, rounding = np.inf, -np.inf, 0.0
    for row, image in enumerate(images):
        pixels = image * std + mean
        low, high = min(low, float(pixels.min())), max(high, float(pixels.max()))
        rounding = max(rounding, float(np.abs(pixels * 255 - np.rint(pixels * 255)).max()))
        floats[row] = np.clip(pixels, 0.0, 1.0)
    if low < -_OUTSIDE or high > 1 + _OUTSIDE:
        raise refused(
            f"makes pixels from {low:.4g} to {high:.4g} of the stored numbers, not from 0 to 1: number x std "
            "+ mean is to be a pixel as torchvision's ToTensor makes it"
        )
    return np.rint(floats * 255).astype(np.uint8) if rounding <= _ROUNDED else floats
