"""Folders that are removed when their command ends or, if it is killed, by the next command.

Their command holds a lock on a file within, which the system takes back however the command ends.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

_LOCK: Final = "in-use"
YOUNG_SECONDS: Final = 60.0
"""Age below which a folder is never a left-over: its command may be just about to lock it."""


@contextmanager
def scratch_folder(where: Path, prefix: str) -> Iterator[Path]:
    """Make a folder that only its owner can enter, and remove it at the end, with what killed commands left.

    Args:
        where: Folder that it lies in, which exists.
        prefix: What its name begins with, and the names of those left over.

    Raises:
        OSError: If it cannot be made.
    """
    remove_left_over(where, prefix)
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=where))
    lock = hold(folder)
    try:
        yield folder
    finally:
        remove(folder)
        os.close(lock)


def hold(folder: Path) -> int:
    """Lock a folder until the descriptor that is returned is closed; do without where files have no locks."""
    descriptor = os.open(folder / _LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    with suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return descriptor


def remove_left_over(
    where: Path, prefix: str, least_seconds: Callable[[Path], float] = lambda folder: YOUNG_SECONDS
) -> None:
    """Remove this user's folders that no command holds and that are old enough.

    Args:
        least_seconds: Returns the age below which a folder stays.
    """
    for folder in where.glob(f"{prefix}*"):
        with suppress(OSError):
            status = folder.lstat()
            age = time.time() - status.st_mtime
            if status.st_uid == os.getuid() and age > least_seconds(folder):
                descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_NOFOLLOW)
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    remove(folder)
                finally:
                    os.close(descriptor)


def remove(folder: Path) -> None:
    """Remove a folder; processes that are about to end may still write into it for a moment."""
    for _ in range(5):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(0.2)
