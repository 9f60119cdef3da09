"""Colors that color-blind readers can distinguish, on white and on black.

Okabe and Ito 2008, "Color Universal Design". The scale of gains is in `autokd.core.colors`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from autokd.core.setting import TransferSet
from autokd.recommendation import Verdict
from autokd.recommendation.decision import Action

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
    "#56b4e9": "#f0e442",
}
"""Replacements on a dark screen; all other colors serve both."""

TRANSFER_SETS: Final[Mapping[TransferSet, str]] = {
    TransferSet.STUDENT: "#0072b2",
    TransferSet.TEACHER: "#e69f00",
    TransferSet.BOTH: "#009e73",
    TransferSet.PUBLIC: "#cc79a7",
    TransferSet.STUDENT_PUBLIC: "#56b4e9",
    TransferSet.VALIDATION: MUTED,
}
VERDICTS: Final[Mapping[Verdict, str]] = {
    Verdict.TUNED: "#2166ac",
    Verdict.DEFAULT: "#92c5de",
    Verdict.SKIP: "#c9ccd1",
    Verdict.UNDECIDED: "#f0e442",
    Verdict.FAILED: "#d55e00",
}
ACTIONS: Final[Mapping[Action, str]] = {
    Action.KEEP: "#c9ccd1",
    Action.CORRECT: "#56b4e9",
    Action.TRAIN_ALONE: "#e69f00",
    Action.LEARN: "#2166ac",
    Action.LET_PARTNER_LEARN: "#007a5a",
    Action.ADOPT: "#cc79a7",
    Action.AVERAGE: "#d55e00",
    Action.MORE_EVIDENCE: "#f0e442",
}
KINDS: Final[Mapping[str, str]] = {kind.value: color for kind, color in (*VERDICTS.items(), *ACTIONS.items())}
"""Colors of verdicts and actions, by their names."""

WITHOUT_OWN: Final = "Cividis"
COUNTS: Final = ("#f7fbff", "#deebf7", "#c6dbef", "#9ecae1", "#6baed6")
"""Scale of counts, from none to many; `ON_COUNTS` is legible on all of it."""
ON_COUNTS: Final = "#000000"
