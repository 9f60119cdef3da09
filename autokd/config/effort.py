"""How much to do, by name: sets of fields of a study recipe."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final


class Effort(StrEnum):
    """How much is searched and confirmed."""

    QUICK = "quick"
    NORMAL = "normal"
    """What the study recipe says."""
    THOROUGH = "thorough"


FIELDS: Final[Mapping[Effort, Mapping[str, Mapping[str, Any]]]] = {
    Effort.QUICK: {
        "search": {"trials": 6, "epsilon": 4.0},
        "confirmation": {"early_looks": (2,), "seeds": 3, "max_seeds": None},
    },
    Effort.NORMAL: {},
    Effort.THOROUGH: {
        "search": {"trials": 32, "epsilon": 0.5, "confidence": 0.95},
        "confirmation": {"early_looks": (2, 3, 5), "seeds": 10, "max_seeds": None},
    },
}
"""By effort and part of the recipe, the fields that take the place of the recipe's own."""
