"""Size and section of images, as torchvision's transforms make them of Pillow's images."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from autokd.config.images import ImageShape

_FILTERS: Final = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "box": Image.Resampling.BOX,
    "hamming": Image.Resampling.HAMMING,
    "lanczos": Image.Resampling.LANCZOS,
}


def is_changed(shape: tuple[int, int], wanted: ImageShape) -> bool:
    """Return whether an image of this height and width is scaled, cropped or padded."""
    in_steps = wanted.pad is not None or wanted.resize is not None or wanted.crop is not None
    return in_steps or wanted.size not in (None, shape[0]) or wanted.size not in (None, shape[1])


def is_squeezed(shape: tuple[int, int], wanted: ImageShape) -> bool:
    """Return whether an image of this height and width loses its proportions by `size` alone."""
    in_steps = wanted.pad is not None or wanted.resize is not None or wanted.crop is not None
    return wanted.size is not None and shape[0] != shape[1] and not in_steps


def scaled(image: Image.Image, wanted: ImageShape) -> Image.Image:
    """Return an image of mode L, RGB or F with what `wanted` says of its size."""
    method = _FILTERS[wanted.interpolation]
    if wanted.pad is not None or wanted.resize is not None or wanted.crop is not None:
        image = _stepwise(image, wanted, method)
    size = wanted.size
    if size is not None and image.size != (size, size):
        image = image.resize((size, size), method)
    return image


def _stepwise(image: Image.Image, wanted: ImageShape, method: Image.Resampling) -> Image.Image:
    # Imported here, since it takes seconds.
    from torchvision.transforms import functional as F

    if wanted.pad is not None:
        image = F.pad(image, list(wanted.pad))
    if wanted.resize is not None:
        image = F.resize(image, list(wanted.resize), interpolation=method, max_size=wanted.max_size)
    if wanted.crop is not None:
        image = F.center_crop(image, list(wanted.crop))
    return image


def scaled_floats(image: NDArray[np.float32], wanted: ImageShape) -> NDArray[np.float32]:
    """Return an image of floating-point numbers, shape (channels, height, width), with `wanted` size."""
    if not is_changed((image.shape[1], image.shape[2]), wanted):
        return image
    return np.stack([np.asarray(scaled(Image.fromarray(channel), wanted)) for channel in image])


def in_channels(image: NDArray[np.float32], channels: int | None) -> NDArray[np.float32]:
    """Return an image of floating-point numbers, shape (channels, height, width), in grey or colour."""
    if channels in (None, len(image)):
        return image
    if channels == 3:
        return np.repeat(image, 3, axis=0)
    # Source: ITU-R BT.601, as in Pillow and torchvision.
    grey: NDArray[Any] = np.tensordot(np.array([[0.299, 0.587, 0.114]], dtype=np.float32), image, axes=1)
    return grey.astype(np.float32)
