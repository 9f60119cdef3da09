"""Files that somebody names: what is none is refused before it is opened, and what unfolds to any size."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

SLACK: Final = 2**27
"""Bytes that any file may unfold to."""
_BLOCK: Final = 512
_MOSTLY_EMPTY: Final = 32


def check_regular(status: os.stat_result) -> None:
    """Refuse a folder, and a pipe or a device, which would be waited for.

    Raises:
        ValueError: The message belongs behind the file's name.
    """
    if stat.S_ISDIR(status.st_mode):
        raise ValueError("cannot be read: Is a directory")
    if not stat.S_ISREG(status.st_mode):
        raise ValueError("cannot be read: it is a pipe or a device, not a file")


def regular_size(file: Path, *, most: int) -> int:
    """Return the size in bytes of a regular file; a pipe or a device would be waited for.

    Raises:
        ValueError: If it is none, is larger than `most`, or is nearly nothing but gaps; the message belongs
            behind the file's name.
        OSError: If there is no such file.
    """
    status = file.stat()
    check_regular(status)
    if status.st_size > most:
        raise ValueError(f"is too large: {in_words(status.st_size)}, and at most {in_words(most)} are read")
    # Some file systems do not say what a file takes.
    taken = status.st_blocks * _BLOCK or status.st_size
    if status.st_size > SLACK + _MOSTLY_EMPTY * taken:
        raise ValueError(f"is {in_words(status.st_size)} of gaps, with {in_words(taken)} on the disk")
    return status.st_size


def check_unfolded(size: int, unfolded: int, *, factor: int) -> None:
    """Refuse a file that unfolds to more than `factor` times its size, and to more than a little.

    Raises:
        ValueError: The message belongs behind the file's name.
    """
    if unfolded > SLACK + factor * size:
        raise ValueError(
            f"would unfold from {in_words(size)} to {in_words(unfolded)}, as nothing that was measured or "
            "trained does; it was not read"
        )


def in_words(size: int) -> str:
    """Return a number of bytes as people say it."""
    for unit, name in ((10**12, "TB"), (10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if size >= unit:
            return f"{size / unit:.3g} {name}"
    return f"{size} bytes"
