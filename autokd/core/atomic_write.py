"""Files that are whole or not there at all: written under another name, then moved."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from autokd.errors import InputError


def write_together(content: Mapping[Path, bytes], *, option: str) -> None:
    """Write some files, which are moved to their places once all are written; what is there is replaced.

    Args:
        content: By path, in the order in which they come into place; folders are made.
        option: Where the user said so, for the message, e.g. `--out student.safetensors`.

    Raises:
        InputError: If that cannot be done.
    """
    # NOTE: not temporary files, which nobody else might read.
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
