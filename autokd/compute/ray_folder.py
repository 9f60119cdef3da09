"""The folder in which a Ray of this machine keeps its sockets, logs and what does not fit into memory.

Ray lets everybody enter and write to the folders that it makes. So they lie in one that only this user can
enter, and it is removed with all that is in it.
"""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from autokd.core.scratch_folder import YOUNG_SECONDS, hold, remove, remove_left_over

_PREFIX: Final = "autokd-"
_KEPT: Final = "kept"
_VARIABLE: Final = "RAY_TMPDIR"
"""Names the folder that Ray's own, called `ray`, is to lie in."""
_LONGEST: Final = 107
"""Bytes in the path of a socket: 108 in Linux with the one that ends it."""
_RAY_ADDS: Final = len("/ray/session_2026-01-01_00-00-00_000000_4194304/sockets/plasma_store")
_SHORT: Final = Path("/tmp")
_LEAST_BYTES: Final = 2**25
"""Free space below which Ray's files, mostly logs, cannot be kept."""
_LEAST_FILES: Final = 500
_KEPT_SECONDS: Final = 7 * 86400.0


@contextmanager
def private_folder() -> Iterator[Path]:
    """Make a folder for Ray below `$RAY_TMPDIR` or the usual temporary folder, and remove it at the end.

    After `WorkersLost` Ray's logs stay, for whoever wants to know why. The folders of commands that were
    killed are removed by the next one.

    Yields:
        What Ray is to take for `RAY_TMPDIR`: short enough for the paths of its sockets.

    Raises:
        OSError: If the folder cannot be made.
    """
    where = base()
    lock, folders = -1, list[Path]()
    try:
        where.mkdir(parents=True, exist_ok=True)
        remove_left_over(where, _PREFIX, _least_seconds)
        _check_room(where)
        folders.append(Path(tempfile.mkdtemp(prefix=_PREFIX, dir=where)))
        lock = hold(folders[0])
        if len(os.fsencode(folders[0])) + _RAY_ADDS > _LONGEST:
            # A path through a link is as short as the link's.
            folders.append(Path(tempfile.mkdtemp(prefix=_PREFIX, dir=_SHORT)))
            (folders[1] / "d").symlink_to(folders[0])
        yield folders[0] if len(folders) == 1 else folders[1] / "d"
    finally:
        if folders and (folders[0] / _KEPT).exists() and _only_logs_left(folders[0]):
            folders = []
        for folder in reversed(folders):
            remove(folder)
        if lock >= 0:
            os.close(lock)


def _check_room(where: Path) -> None:
    """Refuse a folder that has too little room for Ray's files: Ray itself would wait for minutes.

    Raises:
        OSError: If it has.
    """
    room = os.statvfs(where)
    free = room.f_bavail * room.f_frsize
    # Some file systems make inodes as they need them, and count none.
    if free < _LEAST_BYTES or (room.f_files and room.f_favail < _LEAST_FILES):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(where))


def base() -> Path:
    """Return the folder that Ray's own lies in: `$RAY_TMPDIR`, or the usual one for temporary files."""
    return Path(os.environ.get(_VARIABLE) or tempfile.gettempdir()).absolute()


def keep_logs(folder: Path) -> None:
    """Let Ray's logs stay for a week, for whoever wants to know why workers were lost."""
    with suppress(OSError):
        (folder / _KEPT).touch()


def close_to_others(folder: Path) -> None:
    """Take others' rights to Ray's own folders back, which it gives to everybody, once Ray has started."""
    for path in (folder / "ray", *(folder / "ray").glob("session_*")):
        with suppress(OSError):
            if not path.is_symlink():
                path.chmod(0o700)


def _least_seconds(folder: Path) -> float:
    """Return the age below which a folder that is left over stays."""
    return _KEPT_SECONDS if (folder / _KEPT).exists() else YOUNG_SECONDS


def _only_logs_left(folder: Path) -> bool:
    """Remove all but Ray's logs; return whether there are any."""
    logs = [path for path in folder.glob("ray/session_*/logs") if not path.parent.is_symlink()]
    if not logs:
        return False
    for path in logs[0].parent.iterdir():
        if path.is_dir() and not path.is_symlink() and path != logs[0]:
            shutil.rmtree(path, ignore_errors=True)
    return True
