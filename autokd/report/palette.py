"""Colours that colour-blind readers tell apart, on white.

Okabe and Ito 2008, "Color Universal Design"; the diverging scale is ColorBrewer's RdBu, safe for them too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from autokd.setting import TransferSet

INK: Final = "#1b1f24"
MUTED: Final = "#6b7280"
LINES: Final = "#e5e7eb"
CHOSEN: Final = "#d55e00"

TRANSFER_SETS: Final[Mapping[TransferSet, str]] = {
    TransferSet.STUDENT: "#0072b2",
    TransferSet.TEACHER: "#e69f00",
    TransferSet.BOTH: "#009e73",
    TransferSet.PUBLIC: "#cc79a7",
}

AROUND_OWN: Final = ("#b2182b", "#ef8a62", "#fddbc7", "#f7f7f7", "#d1e5f0", "#67a9cf", "#2166ac")
"""Worse than the own model in red, better in blue."""
WITHOUT_OWN: Final = "Cividis"
