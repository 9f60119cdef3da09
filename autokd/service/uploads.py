"""Takes files of data and checkpoints: bounded in size, below the data root, complete or not at all."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from starlette.concurrency import run_in_threadpool

from autokd.core.atomic_write import OWNER_ONLY, make_folder
from autokd.service.problems import Problem

_PART: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}", re.ASCII)
_DEEPEST: Final = 10
_SPARE_BYTES: Final = 100 * 2**20
"""So much room stays on the disk: the service needs some itself."""
_LOOK_BYTES: Final = 2**24
"""After so many bytes it is looked up again whether there is room."""


@dataclass(frozen=True, slots=True)
class TakenFile:
    """A file that is below the data root now.

    Attributes:
        new: Whether there was none of that name.
    """

    new: bool
    bytes: int
    sha256: str


def place_of(root: Path, path: str) -> Path:
    """Return where a file goes.

    Raises:
        Problem: If the path has parts that no file may be called, or leads over a link or a file.
    """
    parts = path.split("/")
    if len(parts) > _DEEPEST or not all(_PART.fullmatch(part) for part in parts):
        raise Problem(
            422,
            "path",
            "a path is at most ten names of letters, digits, dots, hyphens and underscores",
            field="path",
            way_out="begin each name with a letter or a digit, and separate them by /",
        )
    place = root
    for part in parts:
        if place.exists() and (place.is_symlink() or not place.is_dir()) and place != root:
            raise Problem(409, "path", "the path leads over a link or a file", field="path")
        place = place / part
    if place.is_symlink() or place.is_dir():
        raise Problem(409, "path", "there is a folder or a link of that name", field="path")
    return place


async def take_file(
    root: Path, path: str, body: AsyncIterator[bytes], *, length: int | None, most: int, replace: bool
) -> TakenFile:
    """Write a file below the data root.

    Args:
        length: Bytes that the client has announced; None if it has not.
        most: Bytes of the largest file.
        replace: Whether one that is there may be replaced.

    Raises:
        Problem: If the file may not be called so, is too large or there already, or the disk is full.
    """
    place = place_of(root, path)
    if length is not None and length > most:
        raise _too_large(most)
    if place.exists() and not replace:
        raise _is_there()
    make_folder(root)
    # Folders are made for what has come whole only; until then it lies in one that is there.
    above = next(folder for folder in place.parents if folder.is_dir())
    draft = above / f".autokd-{secrets.token_hex(8)}"
    try:
        size, digest, looked = 0, hashlib.sha256(), 0
        _require_room(above, length or 0)
        with os.fdopen(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, OWNER_ONLY), "wb") as file:
            async for piece in body:
                size += len(piece)
                if size > most:
                    raise _too_large(most)
                if size - looked >= _LOOK_BYTES:
                    # Several may come at once, and not all of them say how large they are.
                    looked = size
                    _require_room(above, 0)
                digest.update(piece)
                await run_in_threadpool(file.write, piece)
            file.flush()
            await run_in_threadpool(os.fsync, file.fileno())
        make_folder(place_of(root, path).parent)
        new = _moved(draft, place, replace=replace)
    except OSError as error:
        raise Problem(507, "disk", f"the file cannot be written: {error.strerror}") from None
    finally:
        draft.unlink(missing_ok=True)
    return TakenFile(new, size, digest.hexdigest())


def _moved(draft: Path, place: Path, *, replace: bool) -> bool:
    """Move a file to its place; return whether there was none."""
    try:
        os.link(draft, place, follow_symlinks=False)
    except FileExistsError:
        if not replace:
            raise _is_there() from None
        draft.replace(place)
        return False
    return True


def _require_room(folder: Path, size: int) -> None:
    if shutil.disk_usage(folder).free < size + _SPARE_BYTES:
        raise Problem(507, "disk", "there is no room for the file", way_out="remove something there first")


def _too_large(most: int) -> Problem:
    way_out = "copy it there by other means, or let whoever runs the service raise max_upload"
    return Problem(413, "size", f"a file has at most {most:,} bytes", way_out=way_out)


def _is_there() -> Problem:
    way_out = "choose another name, or use a token made with --scope admin, which may replace it"
    return Problem(409, "exists", "there is a file of that name", field="path", way_out=way_out)
