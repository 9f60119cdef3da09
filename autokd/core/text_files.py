"""Reads small text files that somebody wrote; what is no such file is refused before it is opened."""

from __future__ import annotations

from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final

from autokd.core.regular_files import regular_size

LONGEST: Final = 2 * 2**20
"""Bytes of the largest file that somebody can have written by hand."""


def read_text(file: Path | Traversable) -> str:
    """Return the text of a file, without the byte order mark that some editors put before it.

    Raises:
        ValueError: If it cannot be read, is no regular file (a pipe would be waited for), is too large, or
            is not in UTF-8; the message says which, and belongs behind the file's name.
    """
    try:
        if isinstance(file, Path):
            regular_size(file, most=LONGEST)
        return file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        where = error.object[: error.start].count(b"\n") + 1
        raise ValueError(f"is not a text file in UTF-8 (see line {where}); save it as UTF-8") from None
    except ValueError as error:
        if "null byte" in str(error):
            raise ValueError("cannot be read: no file can have a zero byte in its name") from None
        raise


def expanded(path: str) -> Path:
    """Return a path with `~` replaced by the home folder, if there is such a user."""
    try:
        return Path(path).expanduser()
    except RuntimeError:  # A file may be called so.
        return Path(path)
