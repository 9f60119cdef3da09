"""Writes files completely or not at all: under another name first, which is then replaced."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from autokd.errors import InputError


def write_together(content: Mapping[Path, bytes], *, option: str) -> None:
    """Write several files and move them to their places once all are written; existing files are replaced.

    Args:
        content: Content by path, in the order in which the files are moved; missing folders are made.
        option: Command-line option that names the files, for the error message, e.g. `--out x.safetensors`.

    Raises:
        InputError: If a file cannot be written.
    """
    # NOTE: not `tempfile`, whose files nobody else could read.
    drafts = {path: path.parent / f".{path.name}.{os.getpid()}" for path in content}
    try:
        try:
            for path, draft in drafts.items():
                path.parent.mkdir(parents=True, exist_ok=True)
                draft.write_bytes(content[path])
            for path, draft in drafts.items():
                draft.replace(path)
        finally:
            for draft in drafts.values():
                draft.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"{option}: cannot be written ({error.strerror or error})") from error
