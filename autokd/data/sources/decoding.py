"""Decoding of images by Pillow: only formats that cannot run code, and none of absurd size."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from autokd.config.external import ImageShape
from autokd.data.sources.labelled_images import Pixels, unreadable
from autokd.data.temporary_arrays import empty
from autokd.errors import PlanError

FORMATS: Final = ("JPEG", "PNG", "BMP", "GIF", "WEBP", "TIFF", "PPM")
_MOST_PIXELS: Final = 2**26
"""Largest image that is read. A larger one is no training example, but an attack."""


def decoded(content: bytes | Path, wanted: ImageShape, *, name: str) -> NDArray[np.uint8]:
    """Decode one image, shape (channels, height, width).

    Raises:
        PlanError: If it cannot be read; names the image.
    """
    try:
        with warnings.catch_warnings():
            # Pillow warns of odd files; those that it cannot read are refused below.
            warnings.simplefilter("ignore")
            file = io.BytesIO(content) if isinstance(content, bytes) else content
            with Image.open(file, formats=FORMATS) as image:
                if image.width * image.height > _MOST_PIXELS:
                    problem = f"is an image of {image.width}x{image.height} pixels"
                    raise PlanError(source=name, problem=problem)
                return from_pillow(image, wanted, name=name)
    except UnidentifiedImageError as error:
        raise PlanError(source=name, problem="is no image of a known format") from error
    except Image.DecompressionBombError as error:
        raise PlanError(source=name, problem="is an image of absurd size") from error
    except OSError as error:
        raise unreadable(name, error) from error
    except (ValueError, TypeError, SyntaxError, LookupError, EOFError, ArithmeticError, MemoryError) as error:
        # Pillow's plug-ins raise errors of many kinds on damaged files.
        raise PlanError(source=name, problem=f"is a damaged image ({type(error).__name__})") from error


def from_pillow(image: Image.Image, wanted: ImageShape, *, name: str) -> NDArray[np.uint8]:
    """Return an open image, shape (channels, height, width); grey stays grey unless colour is wanted."""
    grey = image.mode in ("1", "L", "LA", "I;16", "I", "F")
    channels = wanted.channels or (1 if grey else 3)
    image = image.convert("L" if channels == 1 else "RGB")
    size = wanted.size
    if size is None and image.width != image.height:
        problem = f"is {image.height}x{image.width} pixels; give images.size to scale all images to squares"
        raise PlanError(source=name, problem=problem)
    if size is not None and (image.width, image.height) != (size, size):
        image = image.resize((size, size), Image.Resampling.BILINEAR)
    array = np.asarray(image, dtype=np.uint8)
    return array[None] if channels == 1 else np.ascontiguousarray(array.transpose(2, 0, 1))


def decode_all(
    contents: Iterable[tuple[bytes | Path, str]], count: int, wanted: ImageShape
) -> NDArray[np.uint8]:
    """Decode images of one shape into one array, which may be larger than memory.

    Args:
        contents: Each image as encoded bytes or a file, with its name for error messages.
        count: Number of images, at least 1.
        wanted: Shape of all images.

    Raises:
        PlanError: If an image cannot be read, or has another shape than the first one.
    """
    images: NDArray[np.uint8] | None = None
    first = ""
    for row, (content, name) in enumerate(contents):
        image = decoded(content, wanted, name=name)
        if images is None:
            # Filled in place: a list of single images would need twice the memory.
            images, first = empty((count, *image.shape), np.uint8), name
        if image.shape != images.shape[1:]:
            problem = (
                f"is {_words(image.shape)}, and {first} is {_words(images.shape[1:])}; give images.size and "
                "images.channels to bring all to one shape"
            )
            raise PlanError(source=name, problem=problem)
        images[row] = image
    assert images is not None, f"count={count}"
    return images


def _words(shape: tuple[int, ...]) -> str:
    channels, height, width = shape
    return f"{height}x{width} pixels in {'grey' if channels == 1 else 'colour'}"


def fit_to_format(images: Pixels, wanted: ImageShape, *, source: str) -> Pixels:
    """Return images in the wanted shape.

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
    pillow = (Image.fromarray(image[0] if channels == 1 else np.moveaxis(image, 0, -1)) for image in images)
    scaled = [from_pillow(image, wanted, name="image") for image in pillow]
    return np.stack(scaled) if scaled else images
