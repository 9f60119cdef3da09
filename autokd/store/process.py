"""Who holds a lease: a process, so that others can name it, and tell on the same machine that it is gone."""

from __future__ import annotations

import getpass
import json
import os
import socket
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, final

_LINUX: Final = sys.platform == "linux"
_DEAD_STATES: Final = frozenset("ZX")
"""Of Linux: a zombie runs no more, even while nobody asks for its exit code."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One process of one machine.

    Attributes:
        user: Login name, or the number where there is none.
        host: The machine's name, for people.
        machine: What tells machines apart whatever they are called: containers and reboots, too.
        number: Its process number.
        started: When it started, in a unit of the machine's own; None if that cannot be told.
    """

    user: str
    host: str
    machine: str
    number: int
    started: int | None

    @classmethod
    def current(cls) -> Process:
        """This one."""
        return cls(
            user=_user(),
            host=socket.gethostname(),
            machine=_machine(),
            number=os.getpid(),
            started=_started(os.getpid()),
        )

    def __str__(self) -> str:
        return f"{self.user}@{self.host}, process {self.number}"

    def to_text(self) -> str:
        """For a column of the database."""
        return json.dumps(asdict(self))

    @classmethod
    def from_text(cls, text: str) -> Process:
        """The inverse of `to_text`."""
        return cls(**json.loads(text))

    @property
    def gone(self) -> bool:
        """Whether it certainly runs no more; False for what runs elsewhere, of which nothing is known."""
        if self.machine != _machine() or os.name != "posix":
            return False
        try:
            os.kill(self.number, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            pass  # It is somebody else's, and so it is there.
        return _LINUX and self.started is not None and _started(self.number) != self.started


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # A container may run under a number that has no name.
        return str(os.getuid()) if os.name == "posix" else "somebody"


def _machine() -> str:
    """Process numbers mean the same to all who are told the same here."""
    if not _LINUX:
        return socket.gethostname()
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return f"{socket.gethostname()} without /proc"


def _started(number: int) -> int | None:
    """Clock ticks from boot to start; None if the process is not there or is dead."""
    try:
        stat = Path(f"/proc/{number}/stat").read_text()
    except OSError:
        return None
    # NOTE: the second field is the command's name in brackets, and may itself hold brackets and spaces.
    state, *fields = stat.rpartition(")")[2].split()
    return None if state in _DEAD_STATES else int(fields[18])
