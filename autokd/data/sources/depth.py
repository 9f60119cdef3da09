"""Pixels of more than eight bits: what their numbers mean, as far as a file or its owner says."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from autokd.errors import PlanError

_BITS: Final = (8, 12, 16, 32)
"""Depths that pixels usually have."""


def is_deep(image: Image.Image) -> bool:
    """Return whether Pillow gives more than bytes of an image."""
    return image.mode.startswith("I") or image.mode == "F"


def is_cut(image: Image.Image) -> bool:
    """Return whether Pillow gives only the upper eight bits of each colour; asked before it is loaded."""
    if is_deep(image) or image.format not in ("PNG", "TIFF"):
        return False
    return any(";16" in str(tile[3]) for tile in getattr(image, "tile", ()))


def bits_in_file(image: Image.Image) -> int | None:
    """Return the depth that the file itself leaves no doubt of; asked before it is loaded.

    A grey PNG or TIFF of 16 bits may well hold a camera's 12, so it says nothing.
    """
    tiles = getattr(image, "tile", ())
    if image.format == "PPM" and any(tile[0] != "raw" and tile[3][-1] != 65535 for tile in tiles):
        return 16  # Pillow scales by the file's own highest value.
    if image.format == "TIFF":
        depths = getattr(image, "tag_v2", {}).get(258) or (16,)
        return int(depths[0]) if 8 < int(depths[0]) < 16 else None
    return None


def in_unit(pixels: NDArray[Any], bits: int, *, name: str, field: str = "") -> NDArray[np.float32]:
    """Return whole or other numbers from 0 to 2^bits - 1 as float32 in [0, 1].

    Raises:
        PlanError: If a pixel lies outside; names the file.
    """
    white = 2**bits - 1
    low, high = (pixels.min(), pixels.max()) if pixels.size else (0, 0)
    if not (low >= 0 and high <= white):
        problem = f"holds pixels from {low:g} to {high:g}; bits: {bits} allow 0 to {white}"
        raise PlanError(source=name, field=field, problem=problem)
    # In double precision: whole numbers of 32 bits are no float32.
    shares: NDArray[np.float32] = (pixels / np.float64(white)).astype(np.float32)
    return shares


def told_apart(highest: float, kind: str, *, name: str) -> str:
    """Return a note on images of 16 bits whose depth nobody has said, if their pixels leave no doubt of it.

    Args:
        highest: Highest pixel of the whole source.
        kind: Pillow's mode.
        name: An image, for the error.

    Raises:
        PlanError: If the depth is in doubt; names the image and the way out.
    """
    if kind.startswith("I") and 2**15 <= highest < 2**16:
        return "pixels have 16 bits: each means value / 65535 (bits: 16 says so)"
    if kind.startswith("I"):
        problem = f"has pixels of more than 8 bits, and no image here one above {highest:g}"
        raise PlanError(source=name, field="bits", problem=f"{problem}; {_way_out(highest)}")
    problem = f"has floating-point pixels up to {highest:g}, which are not in [0, 1]"
    raise PlanError(source=name, field="bits", problem=f"{problem}; {_way_out(highest)}")


def _way_out(highest: float) -> str:
    enough = [bits for bits in _BITS if highest < 2**bits] or [32]
    depths = [f"bits: {bits} (value / {2**bits - 1})" for bits in enough[:2]]
    return f"say {', '.join(depths)}, ... on this source"
