"""Colours that colour-blind readers tell apart, on white and on black.

Okabe and Ito 2008, "Color Universal Design"; the diverging scale is ColorBrewer's RdBu, safe for them too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from autokd.recommendation import Verdict
from autokd.setting import TransferSet

INK: Final = "#1b1f24"
MUTED: Final = "#6b7280"
LINES: Final = "#e5e7eb"
PAPER: Final = "#ffffff"
CHOSEN: Final = "#d55e00"
DARK: Final[Mapping[str, str]] = {
    INK: "#e6e8eb",
    MUTED: "#9aa4b2",
    LINES: "#363c45",
    PAPER: "#14171b",
    "#0072b2": "#56b4e9",
}
"""What stands for these where the reader's screen is dark; all other colours serve both."""

TRANSFER_SETS: Final[Mapping[TransferSet, str]] = {
    TransferSet.STUDENT: "#0072b2",
    TransferSet.TEACHER: "#e69f00",
    TransferSet.BOTH: "#009e73",
    TransferSet.PUBLIC: "#cc79a7",
    TransferSet.VALIDATION: MUTED,
}
VERDICTS: Final[Mapping[Verdict, str]] = {
    Verdict.TUNED: "#2166ac",
    Verdict.DEFAULT: "#92c5de",
    Verdict.SKIP: "#c9ccd1",
    Verdict.UNDECIDED: "#f0e442",
    Verdict.FAILED: "#d55e00",
}

AROUND_OWN: Final = ("#b2182b", "#ef8a62", "#fddbc7", "#f7f7f7", "#d1e5f0", "#67a9cf", "#2166ac")
"""Worse than the own model in red, better in blue."""
WITHOUT_OWN: Final = "Cividis"
COUNTS: Final = ("#f7fbff", "#c6dbef", "#6baed6", "#2171b5", "#08306b")
"""None to many."""


def diverging(value: float, reach: float) -> str:
    """The colour of `value` on the scale from -reach to reach; what lies beyond has the colour of the end."""
    place = (min(max(value / reach, -1.0), 1.0) + 1) / 2 * (len(AROUND_OWN) - 1)
    below = min(int(place), len(AROUND_OWN) - 2)
    return _between(AROUND_OWN[below], AROUND_OWN[below + 1], place - below)


def legible_on(colour: str) -> str:
    """Black or white, whichever contrasts more: at least 4.5 to 1 (relative luminance of WCAG 2.1)."""
    red, green, blue = (_linear(part / 255) for part in _parts(colour))
    luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return "#000000" if (luminance + 0.05) ** 2 > 1.05 * 0.05 else "#ffffff"


def _between(low: str, high: str, share: float) -> str:
    mixed = (round(a + (b - a) * share) for a, b in zip(_parts(low), _parts(high), strict=True))
    return "#" + "".join(f"{part:02x}" for part in mixed)


def _parts(colour: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(colour.removeprefix("#")))


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else float(((part + 0.055) / 1.055) ** 2.4)
