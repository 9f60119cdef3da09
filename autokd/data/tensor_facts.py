"""What the numbers of a source of tensors are: type, range and moments, over all of its inputs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autokd.data.mapped_arrays import pieces
from autokd.data.pixel_facts import PixelFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorFacts:
    """The numbers of one source of tensors that are no images.

    Attributes:
        examples: Number of inputs.
        shape: Shape of an input.
        is_whole: Whether they are whole numbers.
        low, high: Lowest and highest number of each entry of the first axis, e.g. of each feature.
        mean, std: Mean and standard deviation of each of these entries.
    """

    examples: int
    shape: tuple[int, ...]
    is_whole: bool
    low: tuple[float, ...]
    high: tuple[float, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def of(cls, inputs: NDArray[Any]) -> TensorFacts:
        """Look at all inputs, shape (n, entries, ...), n at least 1; none is left out."""
        count, entries = inputs.shape[:2]
        low, high = np.full(entries, math.inf), np.full(entries, -math.inf)
        total, squares = np.zeros(entries), np.zeros(entries)
        for piece in pieces(inputs):
            numbers = piece.reshape(len(piece), entries, -1)
            low, high = np.minimum(low, numbers.min(axis=(0, 2))), np.maximum(high, numbers.max(axis=(0, 2)))
            total += numbers.sum(axis=(0, 2), dtype=np.float64)
            squares += np.einsum("nef,nef->e", numbers, numbers, dtype=np.float64)
        numbers_each = inputs.size / entries
        mean = total / numbers_each
        std = np.sqrt(np.maximum(squares / numbers_each - mean**2, 0.0))
        return cls(
            examples=count,
            shape=inputs.shape[1:],
            is_whole=inputs.dtype == np.int64,
            low=tuple(low.tolist()),
            high=tuple(high.tolist()),
            mean=tuple(mean.tolist()),
            std=tuple(std.tolist()),
        )

    @property
    def sizes(self) -> tuple[float, ...]:
        """Root of the mean square of each entry."""
        return tuple(math.hypot(mean, std) for mean, std in zip(self.mean, self.std, strict=True))

    def range_of(self, entry: int) -> str:
        """Return the range of an entry in words."""
        return f"from {self.low[entry]:.4g} to {self.high[entry]:.4g}"


Facts = PixelFacts | TensorFacts


def facts_of(inputs: NDArray[Any], *, is_tensor: bool) -> Facts:
    """Look at all inputs of a source."""
    return TensorFacts.of(inputs) if is_tensor else PixelFacts.of(inputs)
