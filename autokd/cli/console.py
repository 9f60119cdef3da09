"""The two consoles: results go to standard output, progress and errors to standard error."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final, Protocol, TypeVar

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.table import Column, Table
from rich.text import Text

from autokd.cli.output import can_write
from autokd.text.escaping import invisible_spelt_out, json_text, one_line


class _Plain(Console):
    """A console to which texts are never markup, and that acts on nothing in them: they quote others."""

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, highlight=False, markup=False, emoji=False)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            text = segment.text
            if segment.control or text.isprintable():
                yield segment
            else:
                yield Segment(invisible_spelt_out(text), segment.style)


out = _Plain()
err = _Plain(stderr=True)

DEBUG_VARIABLE: Final = "AUTOKD_DEBUG"
NOTHING_LEFT: Final = "nothing was left to do; these are the stored results"


def debugging() -> bool:
    """Return whether errors are shown with their traceback."""
    return bool(os.environ.get(DEBUG_VARIABLE))


def fail(message: str) -> None:
    """Print an error in one line."""
    err.print(Text.assemble(("error: ", "bold red"), one_line(message)), soft_wrap=True)


def note(message: str) -> None:
    """Print a line about progress."""
    err.print(one_line(message), soft_wrap=True)


class _NoticeHandler(logging.Handler):
    """Prints each message of the `autokd` loggers once, above the live progress of the same console."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console, self._printed = console, set[str]()

    def emit(self, record: logging.LogRecord) -> None:
        message = one_line(record.getMessage())
        if message not in self._printed:
            self._printed.add(message)
            self._console.print(Text(message, style="yellow"), soft_wrap=True)


@contextmanager
def show_notices(console: Console = err) -> Iterator[None]:
    """Print the notices of everything that runs inside, and nothing of them anywhere else."""
    logger, handler = logging.getLogger("autokd"), _NoticeHandler(console)
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield
    finally:
        logger.propagate = True
        logger.removeHandler(handler)


def print_json(content: Mapping[str, object] | Sequence[object]) -> None:
    """Print exactly one JSON value on standard output, whatever the terminal."""
    text = json_text(content)
    print(text if can_write(text) else json.dumps(content, indent=2, allow_nan=False))  # noqa: T201


class _Result(Protocol):
    def to_json(self) -> Mapping[str, object]: ...


_R = TypeVar("_R", bound=_Result)


def print_result(result: _R, show: Callable[[_R], None], *, json: bool) -> None:
    """Print a result as JSON, or with `show` for people."""
    if json:
        print_json(result.to_json())
    else:
        show(result)


def plain_table(*columns: Column | str, gap: int = 2, show_header: bool = True) -> Table:
    """Return an empty table without lines, its columns `gap` characters apart."""
    padding = (0, gap, 0, 0)
    return Table(
        *columns, box=None, pad_edge=False, padding=padding, header_style="dim", show_header=show_header
    )


def clock(seconds: float) -> str:
    """Return a duration as 0:07 or 1:02:05."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def pace(per_second: float | None) -> str:
    """Return the runs per second as the end of a sentence; empty if unknown."""
    return f", {per_second:.1f} a second" if per_second else ""


def about(seconds_left: float | None) -> str:
    """Return the time left as the end of a sentence; empty if unknown."""
    return "" if seconds_left is None else f", about {clock(seconds_left)} left"
