"""Defaults that the command line and the Python interface share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

HOME_VARIABLE: Final = "AUTOKD_HOME"
STORAGE_VARIABLE: Final = "AUTOKD_STORAGE"
STUDY_VARIABLE: Final = "AUTOKD_STUDY"
SPACE_VARIABLE: Final = "AUTOKD_SPACE"
SERVER_VARIABLE: Final = "AUTOKD_SERVER"
TOKEN_VARIABLE: Final = "AUTOKD_TOKEN"
NO_RUNS_VARIABLE: Final = "AUTOKD_NO_RUNS"
"""If it is set, a command shows what is stored and starts no run."""
HOME: Final = Path("autokd-home")
STUDY: Final = "digits"
EFFECT: Final = 5.0
"""The gain that `autokd check` assumes, in pp."""


def usual_home() -> Path:
    """Return the home folder: the environment variable, or the default."""
    return Path(os.environ.get(HOME_VARIABLE) or HOME)


def usual_study() -> str:
    """Return the name or file of the study recipe: the environment variable, or the default."""
    return os.environ.get(STUDY_VARIABLE) or STUDY


def usual_space() -> str | None:
    """Return the search space of the environment; None means the recipe's own."""
    return os.environ.get(SPACE_VARIABLE) or None


def usual_storage() -> str | None:
    """Return the database URL of the environment; None means the SQLite file in the home folder."""
    return os.environ.get(STORAGE_VARIABLE) or None
