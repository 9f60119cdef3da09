"""The process that holds a lease: others can name it, and see on the same machine whether it is gone."""

from __future__ import annotations

import getpass
import os
import socket
import sys
from pathlib import Path
from typing import Final, final

from pydantic import BaseModel

_LINUX: Final = sys.platform == "linux"
_DEAD_STATES: Final = frozenset("ZX")
"""States of Linux; a zombie has ended, even if its parent has not read its exit code."""


@final
class Process(BaseModel, frozen=True):
    """One process of one machine; a column of the database has it as JSON.

    Attributes:
        user: Login name, or the user id where there is none.
        host: Name of the machine, for people.
        machine: Identifier of machine, boot and container.
        number: Process id.
        started: Start time in clock ticks since boot; None if unknown.
    """

    user: str
    host: str
    machine: str
    number: int
    started: int | None

    @classmethod
    def current(cls) -> Process:
        """Return this process."""
        number, host = os.getpid(), socket.gethostname()
        return cls(user=_user(), host=host, machine=_machine(), number=number, started=_started(number))

    def __str__(self) -> str:
        return f"{self.user}@{self.host}, process {self.number}"

    @property
    def is_here(self) -> bool:
        """Whether it certainly runs on this machine, so that its number can be looked up."""
        return self.machine == _machine() and os.name == "posix" and not self.gone

    @property
    def gone(self) -> bool:
        """Whether it has certainly ended; False for processes of other machines."""
        if self.machine != _machine() or os.name != "posix":
            return False
        try:
            os.kill(self.number, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            pass  # It exists and belongs to another user.
        return _LINUX and self.started is not None and _started(self.number) != self.started


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # A container may run under a user id without name.
        return str(os.getuid()) if os.name == "posix" else "somebody"


def _machine() -> str:
    """Return an identifier of all that share their process ids with this process."""
    if not _LINUX:
        return socket.gethostname()
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return f"{socket.gethostname()} without /proc"


def _started(number: int) -> int | None:
    """Return the clock ticks from boot to start; None if the process has ended."""
    try:
        stat = Path(f"/proc/{number}/stat").read_text()
    except OSError:
        return None
    # NOTE: the second field is the command's name in brackets, and may itself contain brackets and spaces.
    state, *fields = stat.rpartition(")")[2].split()
    return None if state in _DEAD_STATES else int(fields[18])
