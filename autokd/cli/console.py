"""Where output goes: results to standard output, progress and errors to standard error."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.text import Text

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


def fail(message: str) -> None:
    """One line that says what is wrong; never markup, since it may hold a user's brackets."""
    err.print(Text.assemble(("error: ", "bold red"), message), soft_wrap=True)


def note(message: str) -> None:
    """A line about progress."""
    err.print(Text(message), soft_wrap=True)


def print_json(content: Mapping[str, object] | Sequence[object]) -> None:
    """Exactly one JSON value on standard output, in any terminal the same."""
    print(json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False))  # noqa: T201


def clock(seconds: float) -> str:
    """A duration as people write it: 0:07, 1:02:05."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def pace(per_second: float | None) -> str:
    """How many runs end in a second, to go on a sentence; empty where it is not known."""
    return f", {per_second:.1f} a second" if per_second else ""


def about(seconds_left: float | None) -> str:
    """How long it will take, likewise."""
    return "" if seconds_left is None else f", about {clock(seconds_left)} left"
