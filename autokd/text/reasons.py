"""Why something failed: one line for people; the traceback behind a run's reason is stored with the run."""

from __future__ import annotations

import re
import traceback
from typing import Final

_LONGEST: Final = 300
_SHORT: Final = 200
_TRACEBACK: Final = "Traceback (most recent call last):"


def kind_and_words(error: BaseException) -> str:
    """Return the class of an error of somebody else's code, and the first line of its words."""
    words = str(error).partition("\n")[0][:_SHORT]
    return f"{type(error).__name__}: {words}"


def with_traceback(error: BaseException) -> str:
    """Return the reason that is stored of an error: one line, and its traceback below it."""
    words = f"{type(error).__name__}: {error}" if str(error).strip() else type(error).__name__
    trace = traceback.format_exception(error, limit=-5)
    return f"{in_a_line(words)}\n{''.join(trace)}"


def in_a_line(reason: str) -> str:
    """Return a reason in one line; of a bare traceback, as once stored, the error at its end."""
    lines = reason.strip().splitlines() or [""]
    if lines[0].startswith(_TRACEBACK):
        last = max(number for number, line in enumerate(lines) if line.startswith(_TRACEBACK))
        unindented = (line for line in lines[last + 1 :] if line[:1].strip())
        lines = [re.sub(r"^(?:\w+\.)+(?=\w+:)", "", next(unindented, lines[-1].strip()))]
    line = lines[0].strip()
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"


def traceback_in(reason: str) -> str:
    """Return the traceback that a reason holds; empty if it holds none."""
    begin = reason.find(_TRACEBACK)
    return reason[begin:].rstrip() if begin >= 0 else ""
