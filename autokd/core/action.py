"""What an owner can do with its model; `recommendation/decision.py` says how one is chosen."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Action(StrEnum):
    """What an owner can do, the simplest first."""

    KEEP = "keep"
    CORRECT = "correct"
    TRAIN_ALONE = "train_alone"
    LEARN = "learn"
    LET_PARTNER_LEARN = "let_partner_learn"
    ADOPT = "adopt"
    AVERAGE = "average"
    MORE_EVIDENCE = "more_evidence"
    """Nothing yet: an action may be worth it, and none is shown to be."""

    @property
    def words(self) -> str:
        """Its name as text shows it."""
        return self.value.replace("_", " ")

    @property
    def letter(self) -> str:
        """One letter of its name, different for each, for a cell of a matrix."""
        return _LETTERS[self]


_LETTERS: Final = dict(zip(Action, "kctlpav?", strict=True))
