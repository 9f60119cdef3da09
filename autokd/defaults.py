"""What is meant where nothing is said: the same on the command line as from Python."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

HOME_VARIABLE: Final = "AUTOKD_HOME"
STORAGE_VARIABLE: Final = "AUTOKD_STORAGE"
HOME: Final = Path("autokd-home")
STUDY: Final = "digits"
EFFECT: Final = 5.0
"""The gain that `autokd check` takes for sought, in pp."""


def usual_home() -> Path:
    """The folder for everything, as the environment has it."""
    return Path(os.environ.get(HOME_VARIABLE) or HOME)


def usual_storage() -> str | None:
    """The database, as the environment has it; None is the file in the home folder."""
    return os.environ.get(STORAGE_VARIABLE) or None
