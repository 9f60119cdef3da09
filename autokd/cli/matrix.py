"""Teacher by student: the verdict and gain of every pair in one picture that fits a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from autokd.setting import Pair

LETTERS: Final = {"tuned": "t", "default": "d", "skip": "s", "undecided": "u", "failed": "f"}
"""Verdicts are told by a letter as well as by colour."""
COLOURS: Final = {
    "tuned": "green",
    "default": "cyan",
    "skip": "dim",
    "undecided": "yellow",
    "failed": "bold red",
}


@dataclass(frozen=True, slots=True)
class Cell:
    """One pair: its verdict with the gain on test in pp, or how many runs it has had."""

    verdict: str | None
    gain: float | None = None
    runs: int = 0

    def text(self, *, wide: bool) -> Text:
        """`+12.3 t` where there is room, else `+12t`; runs in brackets until there is a verdict."""
        if self.verdict is None:
            return Text(f"({self.runs})" if self.runs else "·", style="dim")
        gain = "" if self.gain is None else f"{self.gain:+.1f} " if wide else f"{self.gain:+.0f}"
        return Text(gain + LETTERS[self.verdict], style=COLOURS[self.verdict])


@dataclass(frozen=True, slots=True)
class Matrix:
    """All cells, drawn as wide as the terminal allows; in lines where even the narrow form does not fit."""

    participants: int
    cells: Mapping[Pair, Cell]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        wide = options.max_width >= 11 + 8 * self.participants
        if not wide and options.max_width < 11 + 6 * self.participants:
            yield from self._lines()
            return
        yield self._table(wide=wide)
        yield Text(self.legend(), style="dim")

    def legend(self) -> str:
        """How many pairs there are of each verdict, and what the letters mean."""
        verdicts = Counter(cell.verdict for cell in self.cells.values() if cell.verdict is not None)
        told = [
            f"{LETTERS[verdict]} {verdict} {verdicts[verdict]}" for verdict in LETTERS if verdicts[verdict]
        ]
        unknown = sum(cell.verdict is None for cell in self.cells.values())
        told += [f"(runs) not judged yet {unknown}"] if unknown else []
        return "gain on test in pp and verdict: " + ", ".join(told) if told else ""

    def _table(self, *, wide: bool) -> Table:
        grid = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
        grid.add_column("teacher", justify="right", header_style="dim")
        everybody = range(self.participants)
        for student in everybody:
            grid.add_column(f"->{student}", justify="right", header_style="dim")
        for teacher in everybody:
            row = [Text(str(teacher), style="dim")]
            for student in everybody:
                cell = None if teacher == student else self.cells.get(Pair(teacher, student))
                row.append(Text("") if cell is None else cell.text(wide=wide))
            grid.add_row(*row)
        return grid

    def _lines(self) -> RenderResult:
        for pair, cell in sorted(self.cells.items()):
            if cell.verdict is not None:
                yield Text(f"{pair} ") + cell.text(wide=True)
        yield Text(self.legend(), style="dim")
