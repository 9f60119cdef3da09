"""Images arrive as Pillow, torchvision and Hugging Face's datasets give them; what is in doubt is refused."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps
from torchvision import transforms

from autokd.config.images import ImageShape
from autokd.config.sources import Source
from autokd.data.sources.decoding import Decoder, decode_all, fit_to_format
from autokd.errors import PlanError

RNG = np.random.default_rng(0)
COLOUR: NDArray[np.uint8] = RNG.integers(0, 256, size=(9, 9, 3), dtype=np.uint8)
DEEP: NDArray[np.uint16] = RNG.integers(0, 4096, size=(9, 9)).astype(np.uint16)


def encoded(image: Image.Image, form: str = "PNG", **options: Any) -> bytes:
    content = io.BytesIO()
    image.save(content, format=form, **options)
    return content.getvalue()


def turned(image: Image.Image, orientation: int, form: str) -> bytes:
    """A photo as a camera stores it: the pixels as they came, and how to hold it."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    return encoded(image, form, exif=exif)


def decode(content: bytes, wanted: ImageShape | None = None, **fields: Any) -> NDArray[Any]:
    decoder = Decoder.of(Source(**fields), wanted or ImageShape())
    decoded = decode_all([(content, "photo")], 1, decoder)
    decoder.notes()
    image: NDArray[Any] = decoded[0]
    return image


def in_colour(image: Image.Image) -> NDArray[np.uint8]:
    """As torchvision's loader and ToTensor give it."""
    pixels: NDArray[np.uint8] = np.asarray(image.convert("RGB"), dtype=np.uint8)
    return pixels.transpose(2, 0, 1)


def of_mode(mode: str) -> Image.Image:
    image = Image.fromarray(COLOUR)
    return image.quantize(32) if mode == "P" else image.convert(mode)


@pytest.mark.parametrize(
    ("mode", "form"),
    [
        ("1", "PNG"),
        ("L", "JPEG"),
        ("LA", "PNG"),
        ("P", "GIF"),
        ("P", "PNG"),
        ("RGB", "BMP"),
        ("RGBA", "WEBP"),
        ("RGBA", "PNG"),
        ("CMYK", "JPEG"),
        ("CMYK", "TIFF"),
        ("YCbCr", "JPEG"),
        ("L", "PPM"),
    ],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_every_mode_is_read_as_torchvisions_loader_does(mode: str, form: str, channels: Any) -> None:
    content = encoded(of_mode(mode), form)
    decoded = decode(content, ImageShape(channels=channels))
    with Image.open(io.BytesIO(content)) as plain:
        image = plain.convert("RGB")
    expected = in_colour(image) if channels == 3 else np.asarray(transforms.Grayscale()(image))[None]
    assert np.array_equal(decoded, expected)


@pytest.mark.parametrize(("form", "grey"), [("PNG", True), ("JPEG", False), ("WEBP", False), ("TIFF", False)])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_photos_are_turned_as_datasets_turns_them(form: str, grey: bool, orientation: int) -> None:
    image = Image.fromarray(COLOUR).convert("L" if grey else "RGB")
    content = turned(image, orientation, form)
    with Image.open(io.BytesIO(content)) as plain:
        plain.load()
        upright, stored = in_colour(ImageOps.exif_transpose(plain)), in_colour(plain)
    assert np.array_equal(decode(content, ImageShape(channels=3)), upright)
    assert np.array_equal(decode(content, ImageShape(channels=3), orientation="stored"), stored)


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(st.integers(2, 40), st.integers(2, 40)),
    st.none() | st.integers(1, 30) | st.tuples(st.integers(1, 30), st.integers(1, 30)),
    st.none() | st.integers(0, 5) | st.tuples(st.integers(0, 5), st.integers(0, 5)),
    st.integers(1, 24),
    st.sampled_from(["bilinear", "bicubic", "nearest", "lanczos"]),
    st.sampled_from(["L", "RGB"]),
)
def test_size_and_section_are_torchvisions(
    shape: tuple[int, int], resize: Any, pad: Any, crop: Any, interpolation: Any, mode: str
) -> None:
    """For photos of any shape, smaller than the section, too."""
    pixels = np.random.default_rng(shape).integers(0, 256, size=(*shape, 3), dtype=np.uint8)
    image = Image.fromarray(pixels).convert(mode)
    method = getattr(Image.Resampling, interpolation.upper())
    steps: list[Any] = []
    if pad is not None:
        steps.append(transforms.Pad(pad))
    if resize is not None:
        steps.append(transforms.Resize(resize, interpolation=method))
    steps.append(transforms.CenterCrop(crop))
    expected = transforms.Compose([*steps, transforms.ToTensor()])(image)
    wanted = ImageShape(pad=pad, resize=resize, crop=crop, interpolation=interpolation)
    decoded = torch.from_numpy(decode(encoded(image), wanted).copy()).float().div(255)
    assert torch.equal(decoded, expected)


@settings(max_examples=40, deadline=None)
@given(st.integers(9, 16), st.integers(0, 2**32 - 1), st.sampled_from(["PNG", "TIFF"]))
def test_deep_pixels_are_a_share_of_white(bits: int, seed: int, form: str) -> None:
    pixels = np.random.default_rng(seed).integers(0, 2**bits, size=(6, 6)).astype(np.uint16)
    decoded = decode(encoded(Image.fromarray(pixels), form), bits=bits)
    assert decoded.dtype == np.float32
    assert np.array_equal(decoded[0], (pixels / (2**bits - 1)).astype(np.float32))


def test_bytes_among_deep_pixels_are_shares_of_white_too() -> None:
    grey = COLOUR[..., 0]
    contents = [(encoded(Image.fromarray(pixels)), "photo") for pixels in (grey, DEEP, grey)]
    images = decode_all(contents, 3, Decoder.of(Source(bits=12), ImageShape()))
    expected = transforms.ToTensor()(Image.fromarray(grey)).numpy()
    assert np.array_equal(images[0], expected)
    assert np.array_equal(images[2], expected)
    assert np.array_equal(images[1, 0], (DEEP / 4095).astype(np.float32))


def test_sixteen_bits_need_no_word_where_they_are_used() -> None:
    pixels = (DEEP * 16).astype(np.uint16)
    decoded = decode(encoded(Image.fromarray(pixels)))
    assert np.array_equal(decoded[0], (pixels / 65535).astype(np.float32))


def test_floats_in_the_unit_interval_stay() -> None:
    pixels = RNG.random((9, 9)).astype(np.float32)
    assert np.array_equal(decode(encoded(Image.fromarray(pixels), "TIFF"))[0], pixels)
    decoded = decode(encoded(Image.fromarray(pixels * 255), "TIFF"), bits=8)
    assert np.allclose(decoded[0], pixels, atol=1e-6)


def deep_colour() -> bytes:
    """A PNG of 16 bits for each colour, which Pillow does not write."""
    pixels = (COLOUR.astype(">u2") * 16).astype(">u2")
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", 9, 9, 16, 2, 0, 0, 0)
    parts = [chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def pgm(highest: int) -> bytes:
    return b"P5 9 9 %d\n" % highest + (DEEP.astype(np.int64) % (highest + 1)).astype(">u2").tobytes()


def test_a_file_may_say_its_depth_itself() -> None:
    decoded = decode(pgm(4095))
    assert np.allclose(decoded[0], DEEP / 4095, atol=1e-4)


@pytest.mark.parametrize(
    ("content", "fields", "words"),
    [
        (lambda: encoded(Image.fromarray(DEEP)), {}, ("photo", "bits", "more than 8 bits", "bits: 12")),
        (lambda: encoded(Image.fromarray(DEEP), "TIFF"), {}, ("photo", "bits: 12")),
        (
            lambda: encoded(Image.fromarray((DEEP // 16).astype(np.float32)), "TIFF"),
            {},
            ("photo", "bits: 8 (value / 255)"),
        ),
        (lambda: encoded(Image.fromarray(DEEP)), {"bits": 10}, ("photo", "bits: 10 allow 0 to 1023")),
        (
            lambda: encoded(Image.fromarray(DEEP.astype(np.int32) * 999), "TIFF"),
            {},
            ("photo", "bits: 32 (value"),
        ),
        (lambda: encoded(Image.fromarray(-DEEP.astype(np.int32)), "TIFF"), {"bits": 16}, ("photo", "-")),
        (lambda: encoded(Image.fromarray(DEEP.astype(np.float32)), "TIFF"), {}, ("photo", "not in [0, 1]")),
        (lambda: encoded(Image.fromarray(np.full((9, 9), np.nan, np.float32)), "TIFF"), {}, ("finite",)),
        (deep_colour, {"bits": 12}, ("photo", "upper 8 of 16 bits", "save these images with 8")),
        (lambda: pgm(65535), {}, ("photo", "bits: 12")),
        (lambda: encoded(Image.fromarray(COLOUR))[:90], {}, ("photo",)),
    ],
)
def test_what_is_in_doubt_is_refused(
    content: Callable[[], bytes], fields: dict[str, Any], words: tuple[str, ...]
) -> None:
    with pytest.raises(PlanError) as refused:
        decode(content(), **fields)
    for word in words:
        assert word in str(refused.value)


def notes(content: bytes, wanted: ImageShape | None = None, **fields: Any) -> str:
    decoder = Decoder.of(Source(**fields), wanted or ImageShape())
    decode_all([(content, "photo")], 1, decoder)
    return "; ".join(decoder.notes())


def test_what_somebody_may_read_in_another_way_is_said() -> None:
    frames = [Image.fromarray(COLOUR), Image.fromarray(255 - COLOUR)]
    clear = Image.fromarray(np.dstack([COLOUR, COLOUR[..., :1]]))
    wide = encoded(Image.fromarray(COLOUR[:5]))
    assert "1 of 1 images are turned upright" in notes(turned(frames[0], 6, "JPEG"))
    assert "left as stored" in notes(turned(frames[0], 6, "JPEG"), orientation="stored")
    assert "squeezed" in notes(wide, ImageShape(size=8))
    assert notes(wide, ImageShape(resize=(8,), crop=(8,))) == ""
    assert "transparent" in notes(encoded(clear))
    assert "first one" in notes(encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    assert "upper 8" in notes(deep_colour())
    assert notes(deep_colour(), bits=16) == ""
    assert "65535" in notes(encoded(Image.fromarray((DEEP * 16).astype(np.uint16))))
    assert notes(encoded(frames[0])) == ""


@pytest.mark.parametrize("channels", [None, 1, 3])
def test_arrays_are_scaled_and_cropped_like_files(channels: Any) -> None:
    wanted = ImageShape(channels=channels, resize=(7,), crop=(5, 5))
    bytes_ = COLOUR[None, :6].transpose(0, 3, 1, 2)
    fitted = fit_to_format(bytes_, Decoder.of(Source(), wanted), source="array")
    assert np.array_equal(fitted[0], decode(encoded(Image.fromarray(COLOUR[:6])), wanted))
    floats = torch.from_numpy(bytes_.copy()).float().div(255).numpy()
    scaled = fit_to_format(floats, Decoder.of(Source(), wanted), source="array")
    assert scaled.dtype == np.float32
    # Bytes are rounded after each step.
    assert np.allclose(scaled, fitted / 255, atol=3 / 255)


def test_a_path_is_read_like_bytes(tmp_path: Path) -> None:
    Image.fromarray(COLOUR).save(tmp_path / "one.png")
    decoder = Decoder.of(Source(), ImageShape())
    assert np.array_equal(decoder.decoded(tmp_path / "one.png", name="one"), COLOUR.transpose(2, 0, 1))
