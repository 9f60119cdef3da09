"""Where in the home a job has its files."""

from __future__ import annotations

from pathlib import Path
from typing import Final

FOLDER: Final = "jobs"
"""Folder of the home that has a folder for each job: its log, and the model that it made."""
LOG: Final = "driver.log"
"""What the job's drivers have logged."""
MODEL: Final = "student.safetensors"
"""The model of a job `distill`; its card lies beside it."""


def folder_of(home: Path, id: int) -> Path:
    """Return the folder of a job."""
    return home / FOLDER / str(id)
