"""What the pixels of a source of images are: type, range and moments, over all of its images."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from autokd.data.mapped_arrays import pieces

ROUNDING: Final = 0.1
"""How far pixels may leave [0, 1] or [-1, 1] by bicubic scaling or added noise."""
_REACHED: Final = (-0.9, 0.5)
"""What the lowest and highest pixels reach at least if images were scaled to [-1, 1]; dark ones are usual."""


class PixelScale(StrEnum):
    """What the range of the pixels says of their meaning."""

    UNIT = "in [0, 1]"
    """Bytes, which are divided by 255, or floats as torchvision's ToTensor makes them."""
    POSITIVE = "not negative, and above 1"
    """E.g. floats up to 255, or sensor counts."""
    SYMMETRIC = "from -1 to 1"
    """Dark pixels reach -1: normalised with mean 0.5 and std 0.5."""
    SIGNED = "negative and positive"
    """E.g. standardised."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelFacts:
    """The pixels of one source, as networks get them: bytes are divided by 255.

    Attributes:
        examples: Number of images.
        shape: Channels, height and width.
        is_bytes: Whether they are stored as bytes.
        low, high: Lowest and highest pixel of all images.
        mean, std: By channel.
    """

    examples: int
    shape: tuple[int, int, int]
    is_bytes: bool
    low: float
    high: float
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def of(cls, images: NDArray[Any]) -> PixelFacts:
        """Look at all images, shape (n, channels, height, width), n at least 1; none is left out."""
        count, channels, height, width = images.shape
        white = 255.0 if images.dtype == np.uint8 else 1.0
        low, high = math.inf, -math.inf
        total, squares = np.zeros(channels), np.zeros(channels)
        for piece in pieces(images):
            low, high = min(low, float(piece.min())), max(high, float(piece.max()))
            total += piece.sum(axis=(0, 2, 3), dtype=np.float64)
            squares += np.einsum("nchw,nchw->c", piece, piece, dtype=np.float64)
        pixels = count * height * width
        mean = total / pixels / white
        variance = squares / pixels / white**2 - mean**2
        return cls(
            examples=count,
            shape=(channels, height, width),
            is_bytes=images.dtype == np.uint8,
            low=low / white,
            high=high / white,
            mean=tuple(mean.tolist()),
            std=tuple(np.sqrt(np.maximum(variance, 0.0)).tolist()),
        )

    @property
    def scale(self) -> PixelScale:
        """What the range says."""
        if self.is_bytes or (self.low >= -ROUNDING and self.high <= 1 + ROUNDING):
            return PixelScale.UNIT
        if self.low >= -ROUNDING:
            return PixelScale.POSITIVE
        if -1 - ROUNDING <= self.low <= _REACHED[0] and _REACHED[1] <= self.high <= 1 + ROUNDING:
            return PixelScale.SYMMETRIC
        return PixelScale.SIGNED

    @property
    def size(self) -> float:
        """Root of the mean square of all pixels."""
        squares = [mean**2 + std**2 for mean, std in zip(self.mean, self.std, strict=True)]
        return math.sqrt(sum(squares) / len(squares))

    def __str__(self) -> str:
        if self.is_bytes:
            return f"bytes from {self.low * 255:.0f} to {self.high * 255:.0f}"
        return f"floating-point numbers from {self.low:.4g} to {self.high:.4g}"
