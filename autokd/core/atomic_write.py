"""Writes files completely or not at all, and for their owner only: they may tell what private data hold.

A file is written beside its place under another name and moved there at the end, so that a full disk or a
kill leaves what was there before. Only their owner can read new files (0600) and enter new folders (0700),
whatever the umask. What is there already keeps its mode: whoever has opened it to others meant it.
"""

from __future__ import annotations

import errno
import logging
import os
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Final

from autokd.errors import InputError

OWNER_ONLY: Final = 0o600
_FOLDER: Final = 0o700
_PIPE_SECONDS: Final = 60.0
_LOOK_SECONDS: Final = 0.1
_log = logging.getLogger(__name__)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it that are missing; only their owner can enter them.

    Raises:
        OSError: If one cannot be made.
    """
    missing, above = [], folder
    while not above.exists() and above != above.parent:
        missing.append(above)
        above = above.parent
    for path in reversed(missing):
        with suppress(FileExistsError):  # Another process was quicker.
            path.mkdir(_FOLDER)
            path.chmod(_FOLDER)
    if not folder.is_dir():
        folder.mkdir()  # Says what is wrong.


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a path to write to, whose file replaces the one at `path` at the end; it stays if anything fails.

    A link is followed. What is no file, such as `/dev/stdout` or a pipe, is written to as it is; a pipe that
    nobody reads is waited for with a word, for a minute.

    Raises:
        OSError: If it cannot be written.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        mode = stat.S_IFREG | OWNER_ONLY
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(21, os.strerror(21), str(path))
    if not stat.S_ISREG(mode):
        with _read_by_somebody(path) if stat.S_ISFIFO(mode) else nullcontext():
            yield path
        return
    if path.exists() and not os.access(path, os.W_OK):
        raise PermissionError(13, os.strerror(13), str(path))
    place = path.resolve() if path.is_symlink() else path
    # NOTE: a name of its own length, since the file's may be as long as names can be.
    draft = place.parent / f".autokd-{os.getpid()}-{secrets.token_hex(4)}"
    try:
        os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, OWNER_ONLY))
        yield draft
        _reach_the_disk(draft)
        draft.chmod(stat.S_IMODE(mode))
        draft.replace(place)
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def _read_by_somebody(pipe: Path) -> Iterator[None]:
    """Wait until somebody reads a pipe: to open it would wait in silence, for ever.

    Raises:
        OSError: If nobody does.
    """
    until, has_warned = time.monotonic() + _PIPE_SECONDS, False
    while True:
        try:
            # Held until the end: a reader would take the first close for the end of what is written.
            descriptor = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
            break
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
        if time.monotonic() > until:
            raise OSError(errno.ENXIO, "it is a pipe that nobody reads", str(pipe))
        if not has_warned:
            _log.warning("%s is a pipe; this command waits for somebody to read it", pipe)
        has_warned = True
        time.sleep(_LOOK_SECONDS)
    try:
        yield
    finally:
        os.close(descriptor)


def _reach_the_disk(file: Path) -> None:
    """Wait until a file is on its disk: some file systems only say then that it is full."""
    if file.is_file():
        with file.open("rb+") as written:
            os.fsync(written.fileno())


def write_together(content: dict[Path, bytes], *, option: str) -> None:
    """Write several files and move them to their places once all are written; existing files are replaced.

    Args:
        content: Content by path, in the order in which the files are moved; missing folders are made.
        option: Command-line option that names the files, for the error message, e.g. `--out x.safetensors`.

    Raises:
        InputError: If a file cannot be written.
    """
    try:
        with ExitStack() as drafts:
            # What is begun last is moved first.
            for path, data in reversed(content.items()):
                make_folder(path.parent)
                draft = drafts.enter_context(replacing(path))
                draft.write_bytes(data)
                _reach_the_disk(draft)
    except OSError as error:
        raise InputError(f"{option}: cannot be written ({error.strerror or error})") from error
