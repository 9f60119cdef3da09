"""Encoded images to arrays, by Pillow: formats that cannot run code only, and none of absurd size."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from autokd.data.sources.labelled_images import Pixels, Wanted
from autokd.errors import PlanError

FORMATS: Final = ("JPEG", "PNG", "BMP", "GIF", "WEBP", "TIFF", "PPM")
_MOST_PIXELS: Final = 2**26
"""An image that says it is larger is no example of any data set that this is meant for, but an attack."""


def decoded(content: bytes | Path, wanted: Wanted, *, name: str) -> NDArray[np.uint8]:
    """One image, shape (channels, height, width).

    Raises:
        PlanError: If it cannot be read; names it.
    """
    try:
        with warnings.catch_warnings():
            # Pillow warns of what is odd in a file: what it then cannot read is refused below all the same.
            warnings.simplefilter("ignore")
            opened = Image.open(
                io.BytesIO(content) if isinstance(content, bytes) else content, formats=FORMATS
            )
            with opened as image:
                if image.width * image.height > _MOST_PIXELS:
                    raise PlanError(
                        source=name, field="", problem=f"is an image of {image.width}x{image.height} pixels"
                    )
                return from_pillow(image, wanted, name=name)
    except UnidentifiedImageError as error:
        raise PlanError(source=name, field="", problem="is no image of a known format") from error
    except OSError as error:
        problem = f"cannot be read: {error.strerror or error}"
        raise PlanError(source=name, field="", problem=problem) from error
    except (ValueError, TypeError, SyntaxError, LookupError, EOFError, ArithmeticError, MemoryError) as error:
        # What Pillow's plug-ins raise on damaged files is of many kinds.
        problem = f"is a damaged image ({type(error).__name__})"
        raise PlanError(source=name, field="", problem=problem) from error
    except Image.DecompressionBombError as error:
        raise PlanError(source=name, field="", problem="is an image of absurd size") from error


def from_pillow(image: Image.Image, wanted: Wanted, *, name: str) -> NDArray[np.uint8]:
    """An open image, shape (channels, height, width); grey ones stay so unless colours are wanted."""
    grey = image.mode in ("1", "L", "LA", "I;16", "I", "F")
    channels = wanted.channels or (1 if grey else 3)
    image = image.convert("L" if channels == 1 else "RGB")
    size = wanted.size
    if size is None and image.width != image.height:
        problem = f"is {image.height}x{image.width} pixels; give images.size to scale all images to squares"
        raise PlanError(source=name, field="", problem=problem)
    if size is not None and (image.width, image.height) != (size, size):
        image = image.resize((size, size), Image.Resampling.BILINEAR)
    array = np.asarray(image, dtype=np.uint8)
    return array[None] if channels == 1 else np.ascontiguousarray(array.transpose(2, 0, 1))


def scaled(array: NDArray[Any], wanted: Wanted) -> NDArray[np.uint8]:
    """One array of shape (height, width, channels) in the wanted shape, channels first."""
    return from_pillow(Image.fromarray(array[..., 0] if array.shape[2] == 1 else array), wanted, name="image")


def fit_to_format(images: Pixels, wanted: Wanted, *, source: str) -> Pixels:
    """Images in the wanted shape.

    Raises:
        PlanError: If they are not square, or floats that would have to be scaled.
    """
    _, channels, height, width = images.shape
    if wanted.size in (None, height) and height == width and wanted.channels in (None, channels):
        return images
    if wanted.size is None and height != width:
        problem = f"images are {height}x{width} pixels; give images.size to scale them to squares"
        raise PlanError(source=source, field="images", problem=problem)
    if images.dtype != np.uint8:
        problem = f"images of floating-point numbers are {channels}x{height}x{width} and cannot be scaled"
        raise PlanError(source=source, field="images", problem=problem)
    out = [scaled(np.moveaxis(one, 0, -1), wanted) for one in images]
    return np.stack(out) if out else images
