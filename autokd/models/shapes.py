"""What a network takes and returns: the shape of its input, and the number of its outputs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Shape:
    """Input and output of a network for images.

    Attributes:
        channels: Channels of an image.
        size: Height of an image, pixels.
        classes: Number of logits.
        width: Width of an image; by default it is a square.
    """

    channels: int
    size: int
    classes: int
    width: int | None = None

    @property
    def pixels(self) -> tuple[int, int]:
        """Height and width of an image."""
        return self.size, self.width or self.size

    @property
    def inputs(self) -> tuple[int, ...]:
        """Channels, height and width of an image."""
        return self.channels, *self.pixels

    @property
    def words(self) -> str:
        """An input in words, for messages."""
        return f"images of {'x'.join(map(str, self.inputs))} (channels, height, width)"

    def zeros(self, count: int) -> Tensor:
        """Return black images, shape (count, channels, height, width)."""
        return torch.zeros(count, *self.inputs)


@dataclass(frozen=True, slots=True)
class TensorShape:
    """Input and output of a network for tensors that are no images.

    Attributes:
        inputs: Shape of one input.
        classes: Number of logits.
        whole: Whether inputs are whole numbers (int64), e.g. token ids; else they are float32.
    """

    inputs: tuple[int, ...]
    classes: int
    whole: bool = False

    @property
    def words(self) -> str:
        """An input in words, for messages."""
        kind = "int64" if self.whole else "float32"
        return f"tensors of {'x'.join(map(str, self.inputs))} ({kind})"

    def zeros(self, count: int) -> Tensor:
        """Return inputs of zeros, shape (count, ...)."""
        return torch.zeros(count, *self.inputs, dtype=torch.int64 if self.whole else torch.float32)

    @property
    def as_images(self) -> Shape:
        """The same for networks that take images.

        Raises:
            ValueError: If inputs have no channels, height and width.
        """
        if self.whole or len(self.inputs) != 3:
            raise ValueError(
                f"takes images, and inputs are {self.words}; networks for such are mlp and your own code"
            )
        channels, height, width = self.inputs
        return Shape(channels, height, self.classes, width)


AnyShape = Shape | TensorShape


def shape_of(inputs: NDArray[Any], *, is_tensor: bool, classes: int) -> AnyShape:
    """Return the shape of a network for inputs, shape (n, ...)."""
    if is_tensor:
        return TensorShape(inputs.shape[1:], classes, whole=inputs.dtype == np.int64)
    _, channels, height, width = inputs.shape
    return Shape(channels, height, classes, width)


def with_classes(shape: AnyShape, classes: int) -> AnyShape:
    """Return the shape of a network for the same inputs with another number of outputs."""
    return replace(shape, classes=classes)
