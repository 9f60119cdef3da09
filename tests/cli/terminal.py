"""A terminal of 80 columns with a program in it, and a keyboard to interrupt it with."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self


def _in_the_foreground() -> None:
    """What a shell sees to before it starts a program; one in the background of a script ignores Ctrl-C."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Terminal:
    """The program leads a session of its own on a pseudo-terminal, as in a user's window."""

    def __init__(
        self, command: Sequence[str | Path], *, cwd: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self._keys, screen = pty.openpty()
        fcntl.ioctl(screen, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 80, 0, 0))
        self.process = subprocess.Popen(
            [*map(str, command)],
            cwd=cwd,
            env={**os.environ, "TERM": "xterm", **(environment or {})},
            stdin=screen,
            stdout=screen,
            stderr=screen,
            start_new_session=True,
            preexec_fn=_in_the_foreground,
        )
        os.close(screen)
        self.shown = ""

    def wait_for(self, text: str, *, seconds: float = 120) -> None:
        """Until the program has written `text`."""
        until = time.monotonic() + seconds
        while text not in self.shown:
            if time.monotonic() > until or not self._read(1.0):
                raise AssertionError(f"{text!r} never came in:\n{self.shown}")

    def interrupt(self) -> None:
        """Ctrl-C: the terminal sends SIGINT to all of the foreground's process group."""
        os.write(self._keys, b"\x03")

    def close(self) -> None:
        """Close the window: what runs in it is told so (SIGHUP), and can neither write nor read any more."""
        os.close(self._keys)
        self._keys = -1

    def end(self, *, seconds: float = 120) -> int:
        """Wait for the exit code; what is written meanwhile is in `shown`."""
        until = time.monotonic() + seconds
        while self._read(1.0):
            if time.monotonic() > until:
                raise AssertionError(f"it goes on and on:\n{self.shown}")
        return self.process.wait(timeout=seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self._keys >= 0:
            os.close(self._keys)

    def _read(self, seconds: float) -> bool:
        """Whether the program may still write something."""
        if select.select([self._keys], [], [], seconds)[0]:
            try:
                self.shown += os.read(self._keys, 65536).decode(errors="replace")
            except OSError:  # Linux says EIO when the other end is closed.
                return False
        return True
