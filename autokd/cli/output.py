"""Standard output and error that may go away: a command goes on without them, and tells of it at the end.

A reader such as `head` closes its pipe, a terminal is closed, the disk that the output goes to is full. That
is no reason to lose a batch. What a terminal cannot show is spelt in what it can.
"""

from __future__ import annotations

import codecs
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import TextIOWrapper
from typing import Any, Final, TextIO

LOST_OUTPUT: Final = 3
"""Exit code of a command that did everything but could not write all of its standard output."""
_ERRORS: Final = "autokd.spelt"
_PLAIN: Final = {"–": "-", "→": "->", "×": "x", "≤": "<=", "≥": ">=", "…": "...", "α": "alpha", "κ": "kappa"}
"""Our own letters and signs, in ASCII."""


class Stream:
    """A text stream that, once it cannot be written, takes everything and writes nothing.

    Attributes:
        loss: Why it could not be written; None if it could.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.loss: OSError | None = None
        if isinstance(stream, TextIOWrapper):
            try:
                stream.reconfigure(errors=_ERRORS)
            except OSError as error:
                self._lose(error)

    def write(self, text: str) -> int:
        """Write text if possible, and return its length."""
        if self.loss is None:
            try:
                self._stream.write(text)
            except OSError as error:
                self._lose(error)
        return len(text)

    def flush(self) -> None:
        """Write what is buffered if possible."""
        if self.loss is None:
            try:
                self._stream.flush()
            except OSError as error:
                self._lose(error)

    def writelines(self, lines: list[str]) -> None:
        """Write lines if possible."""
        self.write("".join(lines))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _lose(self, error: OSError) -> None:
        self.loss = error
        # What is buffered is written at the end of the process: to nowhere, since it would fail again.
        with suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)


@contextmanager
def lossy_output() -> Iterator[Stream]:
    """Let standard output and error fail without an error; yields the former."""
    codecs.register_error(_ERRORS, _spell)
    _open_closed_ones()
    before = sys.stdout, sys.stderr
    closed = OSError(9, os.strerror(9))
    stdout = Stream(sys.stdout or open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115
    if before[0] is None:
        stdout.loss = closed
    sys.stdout = stdout
    if before[1] is not None:
        sys.stderr = Stream(before[1])
    try:
        yield stdout
    finally:
        sys.stdout.flush()
        if before[1] is not None:
            sys.stderr.flush()
        sys.stdout, sys.stderr = before


@contextmanager
def outlives_terminal() -> Iterator[None]:
    """Go on when the terminal is closed, as do the processes that are started inside."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before or signal.SIG_DFL)


def can_write(text: str) -> bool:
    """Return whether standard output can show each character of a text."""
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _spell(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    return "".join(_PLAIN.get(c) or c.encode("ascii", "backslashreplace").decode() for c in text), error.end


def _open_closed_ones() -> None:
    """Open nothing under the numbers of the three standard streams that are closed: a file might get them."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(number)
