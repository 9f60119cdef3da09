"""Decoding of images by Pillow: only formats that cannot run code, and none of absurd size."""

from __future__ import annotations

import io
import warnings
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from autokd.config.images import ImageShape
from autokd.config.sources import Source
from autokd.core.regular_files import check_unfolded
from autokd.data.sources import depth, geometry
from autokd.data.sources.labelled_images import Pixels, as_floats, checked_size, unreadable
from autokd.data.temporary_arrays import empty
from autokd.errors import PlanError

FORMATS: Final = ("JPEG", "PNG", "BMP", "GIF", "WEBP", "TIFF", "PPM")
_MOST_PIXELS: Final = 2**25
"""Largest image that is read. A larger one is no training example, but an attack."""
_LARGEST: Final = 2**28
"""Bytes of the largest file of one image."""
_DENSEST: Final = 64
"""How many times their size images may unfold to together; photographs take ten to twenty times theirs."""
_GREY: Final = ("1", "L", "LA", "La")
_SAID: Final = {
    "turned": "are turned upright as their EXIF orientation says, as Hugging Face's datasets does; "
    "torchvision's ImageFolder leaves them as stored (orientation: stored)",
    "sideways": "have an EXIF orientation and are left as stored, as torchvision's ImageFolder leaves them",
    "squeezed": "are no squares and are squeezed into squares by size; for the shorter side and the centre, "
    "as torchvision's Resize and CenterCrop, say resize and crop instead",
    "transparent": "have transparent pixels, whose transparency is dropped as Pillow's convert('RGB') does",
    "animated": "hold several pictures, of which the first one is read",
    "cut": "have 16 bits of each colour, of which the upper 8 are read, as Pillow and torchvision do",
}
"""What is said of images that somebody may read in another way."""


@dataclass(slots=True)
class Decoder:
    """Decodes the images of one source, and counts what its owner should know of.

    Attributes:
        wanted: Shape of all images.
        bits: Depth of pixels that are no bytes, if it is known.
        upright: Whether images are turned as their EXIF data say; None for images that the owner's own code
            has decoded, who has turned them or not.
        mode: Mode of Pillow that images are converted to first, if the source asks for one.
    """

    wanted: ImageShape
    bits: int | None = None
    upright: bool | None = True
    mode: str | None = None
    _counts: Counter[str] = field(default_factory=Counter)
    _examples: dict[str, str] = field(default_factory=dict)
    _doubtful: dict[str, float] = field(default_factory=dict)
    _decoded: int = 0

    @classmethod
    def of(cls, source: Source, wanted: ImageShape, *, mode: str | None = None) -> Decoder:
        """Return the decoder for a source from a recipe."""
        return cls(wanted, bits=source.bits, upright=source.orientation == "exif", mode=mode)

    def decoded(self, content: bytes | Path, *, name: str) -> Pixels:
        """Decode one image, shape (channels, height, width): bytes, or float32 in [0, 1] of deeper pixels.

        Raises:
            PlanError: If it cannot be read; names the image.
        """
        try:
            with warnings.catch_warnings():
                # Pillow warns of odd files; those that it cannot read are refused below.
                warnings.simplefilter("ignore")
                if isinstance(content, Path):
                    checked_size(content, most=_LARGEST)
                file = io.BytesIO(content) if isinstance(content, bytes) else content
                with Image.open(file, formats=FORMATS) as image:
                    if image.width * image.height > _MOST_PIXELS:
                        problem = f"is an image of {image.width}x{image.height} pixels"
                        raise PlanError(source=name, problem=problem)
                    return self.from_pillow(image, name=name)
        except UnidentifiedImageError as error:
            raise PlanError(source=name, problem="is no image of a known format") from error
        except Image.DecompressionBombError as error:
            raise PlanError(source=name, problem="is an image of absurd size") from error
        except OSError as error:
            raise unreadable(name, error) from error
        except (
            ValueError,
            TypeError,
            SyntaxError,
            LookupError,
            EOFError,
            ArithmeticError,
            MemoryError,
        ) as error:
            # Pillow's plug-ins raise errors of many kinds on damaged files.
            raise PlanError(source=name, problem=f"is a damaged image ({type(error).__name__})") from error

    def from_pillow(self, image: Image.Image, *, name: str) -> Pixels:
        """Return an open image as `decoded` does; grey stays grey unless colour is wanted."""
        self._decoded += 1
        bits = depth.bits_in_file(image) or self.bits
        if depth.is_cut(image):
            if self.bits not in (None, 16):
                problem = f"Pillow reads only the upper 8 of 16 bits of each colour, not {self.bits} bits"
                raise PlanError(
                    source=name, field="bits", problem=f"{problem}; save these images with 8 bits"
                )
            self._count("cut" if self.bits is None else "", name)
        if getattr(image, "is_animated", False):
            self._count("animated", name)
        image = self._turned(image, name)
        if self.mode is not None and self.mode != image.mode:
            image = image.convert(self.mode)
        if geometry.is_squeezed((image.height, image.width), self.wanted):
            self._count("squeezed", name)
        array: Pixels
        if depth.is_deep(image):
            floats = self._floats(image, bits, name)
            array = geometry.scaled_floats(geometry.in_channels(floats, self.wanted.channels), self.wanted)
        else:
            if image.has_transparency_data and _alpha(image) < 255:
                self._count("transparent", name)
            array = _bytes(image, self.wanted)
        return array

    def count_squeezed(self, images: Pixels, name: str) -> None:
        """Count images of an array that lose their proportions."""
        self._decoded += len(images)
        if geometry.is_squeezed((images.shape[2], images.shape[3]), self.wanted):
            self._counts["squeezed"] += len(images)
            self._examples.setdefault("squeezed", name)

    def _turned(self, image: Image.Image, name: str) -> Image.Image:
        image.load()
        if self.upright is None or image.getexif().get(ExifTags.Base.Orientation, 1) not in range(2, 9):
            return image
        self._count("turned" if self.upright else "sideways", name)
        return ImageOps.exif_transpose(image) if self.upright else image

    def _floats(self, image: Image.Image, bits: int | None, name: str) -> NDArray[np.float32]:
        pixels = np.asarray(image)[None]
        if bits is not None:
            return depth.in_unit(pixels, bits, name=name)
        if image.mode == "F":
            if not np.isfinite(pixels).all():
                raise PlanError(source=name, problem="holds pixels that are not finite numbers")
            if pixels.min() >= 0 and pixels.max() <= 1:
                return pixels.astype(np.float32)
            depth.told_apart(float(np.abs(pixels).max()), "F", name=name)
        self._doubtful[name] = float(pixels.max())
        if pixels.min() < 0 or pixels.max() >= 2**16:
            depth.told_apart(float(pixels.max()), image.mode, name=name)
        return depth.in_unit(pixels, 16, name=name)

    def _count(self, what: str, name: str) -> None:
        if what:
            self._counts[what] += 1
            self._examples.setdefault(what, name)

    def notes(self) -> tuple[str, ...]:
        """Return what the owner should know of the images decoded so far.

        Raises:
            PlanError: If it is in doubt what the numbers of deeper pixels mean.
        """
        said = [
            f"{count} of {self._decoded} images {_SAID[what]}; e.g. {self._examples[what]}"
            for what, count in self._counts.items()
        ]
        if self._doubtful:
            said.append(depth.told_apart(max(self._doubtful.values()), "I;16", name=min(self._doubtful)))
        return tuple(said)


def _alpha(image: Image.Image) -> int:
    """Return the lowest opacity of an image, from 0 to 255."""
    alpha = image.convert("RGBA").getchannel("A")
    return int(alpha.getextrema()[0])  # type: ignore[arg-type]


def _bytes(image: Image.Image, wanted: ImageShape) -> NDArray[np.uint8]:
    channels = wanted.channels or (1 if image.mode in _GREY else 3)
    # By way of RGB, as torchvision's loader does.
    image = image.convert("RGB")
    if channels == 1:
        image = image.convert("L")
    array = np.asarray(geometry.scaled(image, wanted), dtype=np.uint8)
    return array[None] if channels == 1 else np.ascontiguousarray(array.transpose(2, 0, 1))


def decode_all(
    contents: Iterable[tuple[bytes | Path, str]], count: int, decoder: Decoder, *, size: int | None = None
) -> Pixels:
    """Decode images of one shape into one array, which may be larger than memory.

    Args:
        contents: Each image as encoded bytes or a file, with its name for error messages.
        count: Number of images, at least 1.
        decoder: Says what all images are brought to.
        size: Bytes that the images take where they come from; None if it is not known.

    Raises:
        PlanError: If an image cannot be read, or has another shape than the first one.
    """
    images: NDArray[Any] | None = None
    first = ""
    for row, (content, name) in enumerate(contents):
        image = decoder.decoded(content, name=name)
        if images is None:
            if size is not None and not _is_scaled(decoder.wanted):
                _check_unfolded(image, count, size, name)
            # Filled in place: a list of single images would need twice the memory.
            images, first = empty((count, *image.shape), image.dtype), name
        if image.shape != images.shape[1:]:
            problem = f"is {_words(image.shape)}, and {first} is {_words(images.shape[1:])}"
            way_out = _way_out(image.shape, images.shape[1:])
            raise PlanError(source=name, problem=f"{problem}; bring all to one shape: {way_out}")
        if image.dtype != images.dtype:
            # Bytes among deeper pixels: each is a share of white.
            images, image = _all_floats(images, row), as_floats(image.copy())
        images[row] = image
    assert images is not None, f"count={count}"
    return images


def _is_scaled(wanted: ImageShape) -> bool:
    """Return whether the size of images is what the recipe says, not what a file says."""
    return any(said is not None for said in (wanted.size, wanted.resize, wanted.crop))


def _check_unfolded(image: Pixels, count: int, size: int, name: str) -> None:
    try:
        check_unfolded(size, image.nbytes * count, factor=_DENSEST)
    except ValueError as error:
        problem = f"and {count - 1} more {error}; images.size brings images to a size"
        raise PlanError(source=name, problem=problem) from None


def _all_floats(images: NDArray[Any], filled: int) -> NDArray[np.float32]:
    if images.dtype == np.float32:
        return images
    floats = empty(images.shape, np.float32)
    for row in range(filled):
        floats[row] = as_floats(images[row].copy())
    return floats


def _words(shape: tuple[int, ...]) -> str:
    channels, height, width = shape
    return f"{height}x{width} pixels in {'grey' if channels == 1 else 'colour'}"


def _way_out(shape: tuple[int, ...], other: tuple[int, ...]) -> str:
    if shape[1:] == other[1:]:
        return "say images.channels"
    more = "; and images.channels" if shape[0] != other[0] else ""
    return f"say images.size (squares), or images.resize and images.crop (shorter side and centre){more}"


def fit_to_format(images: Pixels, decoder: Decoder, *, source: str) -> Pixels:
    """Return images of an array in the wanted shape."""
    wanted = decoder.wanted
    _, channels, height, width = images.shape
    if geometry.is_changed((height, width), wanted) or wanted.channels not in (None, channels):
        decoder.count_squeezed(images, source)
        images = _reshaped(images, wanted)
    return images


def _reshaped(images: Pixels, wanted: ImageShape) -> Pixels:
    if not len(images):
        return images
    if images.dtype != np.uint8:
        return np.stack(
            [geometry.scaled_floats(geometry.in_channels(image, wanted.channels), wanted) for image in images]
        )
    pillow = (Image.fromarray(image[0] if len(image) == 1 else np.moveaxis(image, 0, -1)) for image in images)
    return np.stack([_bytes(image, wanted) for image in pillow])
