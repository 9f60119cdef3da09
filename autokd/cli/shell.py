"""What a shell makes of an unquoted `4->9`: the argument `4-`, and a file named 9 for standard output."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from stat import S_ISREG
from typing import Final

from autokd.text.escaping import one_line

_STREAMS: Final = (1, *range(3, 10))
"""Standard output, and those that `4>9` opens, whose numbers have one digit."""


def taken_by_the_shell(is_participant: Callable[[str], bool] = lambda name: True) -> str:
    """Return which file a shell has made instead of an argument, as the end of a message; mostly nothing.

    Args:
        is_participant: Whether a file of this name may be meant to be a participant.
    """
    for stream in _STREAMS:
        name = _file_here(stream)
        if name is not None and is_participant(name):
            shown = one_line(name)
            return f"; the shell has made the file {shown} for an arrow without quotes: remove that file"
    return ""


def _file_here(stream: int) -> str | None:
    """Return the name of the file in the working folder that a stream writes to, if it does."""
    try:
        about = os.fstat(stream)
        if not S_ISREG(about.st_mode):
            return None
        with os.scandir(Path()) as entries:
            return next((entry.name for entry in entries if entry.inode() == about.st_ino), None)
    except OSError:
        return None
