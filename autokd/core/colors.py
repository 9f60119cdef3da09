"""The color scale of gains, on the page and in the terminal."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

import numpy as np

AROUND_OWN: Final = ("#b2182b", "#ef8a62", "#fddbc7", "#f7f7f7", "#d1e5f0", "#67a9cf", "#2166ac")
"""Worse than the own model in red, better in blue: ColorBrewer's RdBu, safe for color-blind readers."""
_INSIDE: Final = 0.95
"""Share of all gains that the scale distinguishes; the others get the color of its ends."""


def reach(gains: Iterable[float]) -> float:
    """Return the end of the scale on both sides of 0, in whole pp: 95% of the absolute gains lie below it."""
    sizes = sorted(map(abs, gains)) or [0.0]
    return float(max(1, math.ceil(sizes[math.ceil(_INSIDE * len(sizes)) - 1])))


def diverging(value: float, reach: float) -> str:
    """Return the color of `value` on the scale from -reach to reach; values beyond get the end's color."""
    place = (value / reach + 1) / 2 * (len(AROUND_OWN) - 1)
    columns = zip(*map(_parts, AROUND_OWN), strict=True)
    parts = (np.interp(place, range(len(AROUND_OWN)), column) for column in columns)
    return "#" + bytes(round(part) for part in parts).hex()


def legible_on(color: str) -> str:
    """Return black or white, whichever contrasts more: at least 4.5 to 1 (relative luminance of WCAG 2.1)."""
    parts = np.divide(_parts(color), 255)
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    luminance = float(linear @ (0.2126, 0.7152, 0.0722))
    return "#000000" if (luminance + 0.05) ** 2 > 1.05 * 0.05 else "#ffffff"


def _parts(color: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(color.removeprefix("#")))
