"""The verdict and gain of every pair, teacher by student, in a matrix that fits a terminal."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from autokd.core.colors import diverging, legible_on, reach
from autokd.core.setting import Pair

LETTERS: Final = {"tuned": "t", "default": "d", "skip": "s", "undecided": "u", "failed": "f"}
"""Letters of the verdicts; the color of a cell stands for its gain."""
FEW: Final = 6
"""Most pairs that are listed one by one; more are shown as a matrix."""
_DIM: Final = "dim"
_STEPS: Final = (
    (-0.5, "bright_white on red"),
    (-0.1, "red"),
    (0.1, ""),
    (0.5, "cyan"),
    (math.inf, "bright_white on blue"),
)
"""Style of a gain on terminals with sixteen colors, by the largest share of the scale's end."""


class Form(Enum):
    """How much of a pair a cell shows, most first."""

    WIDE = "+12.3 t"
    NARROW = "+12t"
    DENSE = "t"


@dataclass(frozen=True, slots=True)
class Cell:
    """One pair: its verdict with the gain of the judged setting on test in pp, or its number of runs."""

    verdict: str | None
    gain: float | None = None
    runs: int = 0

    def text(self, form: Form) -> str:
        """Return the text in a form; before there is a verdict, the number of runs in brackets."""
        if self.verdict is None:
            return f"({self.runs})" if self.runs and form is not Form.DENSE else "·"
        letter = LETTERS[self.verdict]
        if self.gain is None or form is Form.DENSE:
            return letter
        return f"{self.gain:+.1f} {letter}" if form is Form.WIDE else f"{self.gain:+.0f}{letter}"

    def style(self, end: float, *, sixteen: bool = False) -> str:
        """Return the color of the gain on a scale from -end to end."""
        if self.verdict is None:
            return _DIM
        if self.gain is None:
            return "bold"
        if sixteen:
            return next(style for share, style in _STEPS if self.gain <= share * end)
        colour = diverging(self.gain, end)
        return f"{legible_on(colour)} on {colour}"


@dataclass(frozen=True, slots=True)
class Matrix:
    """All cells in the widest form that fits the terminal; one line per pair if even letters do not fit."""

    participants: int
    cells: Mapping[Pair, Cell]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        form = next((form for form in Form if self._width(form) <= options.max_width), None)
        sixteen = console.color_system in ("standard", "windows")
        colored = console.color_system is not None and not console.no_color
        if form is None:
            yield from self._lines(sixteen)
        else:
            yield from self._header(form)
            yield from self._rows(form, sixteen)
        yield Text(self._legend(form, colored), style=_DIM)

    def _legend(self, form: Form | None, colored: bool) -> str:
        """Return what colors and letters mean, with the number of pairs of each verdict."""
        verdicts = Counter(cell.verdict for cell in self.cells.values() if cell.verdict is not None)
        counts = [
            f"{LETTERS[verdict]} {verdict} {verdicts[verdict]}" for verdict in LETTERS if verdicts[verdict]
        ]
        unknown = sum(cell.verdict is None for cell in self.cells.values())
        counts += [f"{'·' if form is Form.DENSE else '(runs)'} not judged yet {unknown}"] if unknown else []
        if not counts:
            return ""
        scale = f", red -{self._end:g} to blue +{self._end:g}" if verdicts and colored else ""
        ways = "rows teach, columns learn; " if form is Form.DENSE else ""
        return f"{ways}gain of the judged setting on test in pp{scale}; {', '.join(counts)}"

    @property
    def _end(self) -> float:
        return reach(cell.gain for cell in self.cells.values() if cell.gain is not None)

    @property
    def _digits(self) -> int:
        return len(str(self.participants - 1))

    def _column(self, form: Form) -> int:
        """Return the width of a student's column, with a space between neighbors."""
        if form is Form.DENSE:
            return 2
        longest = max((len(cell.text(form)) for cell in self.cells.values()), default=0)
        return max(longest, 2 + self._digits) + 1

    def _width(self, form: Form) -> int:
        return self._label(form) + self.participants * self._column(form)

    def _label(self, form: Form) -> int:
        return self._digits if form is Form.DENSE else len("teacher")

    def _header(self, form: Form) -> Iterator[Text]:
        """Yield the students, one digit per line if columns are too narrow for more."""
        everybody, label, column = range(self.participants), self._label(form), self._column(form)
        if form is not Form.DENSE:
            students = "".join(f"->{student}".rjust(column) for student in everybody)
            yield Text("teacher" + students, style=_DIM)
            return
        for place in range(self._digits):
            digits = "".join(str(student).rjust(self._digits)[place].rjust(column) for student in everybody)
            yield Text(" " * label + digits, style=_DIM)

    def _rows(self, form: Form, sixteen: bool) -> Iterator[Text]:
        end, label, column = self._end, self._label(form), self._column(form)
        for teacher in range(self.participants):
            row = Text(str(teacher).rjust(label), style=_DIM)
            for student in range(self.participants):
                cell = None if teacher == student else self.cells.get(Pair(teacher, student))
                shown = "" if cell is None else cell.text(form)
                filled = shown.rjust(column - 1) if cell is not None and cell.verdict else shown
                row.append(" " * (column - len(filled)))
                row.append(filled, "not dim " + ("" if cell is None else cell.style(end, sixteen=sixteen)))
            yield row

    def _lines(self, sixteen: bool) -> Iterator[Text]:
        for pair, cell in sorted(self.cells.items()):
            if cell.verdict is not None:
                yield Text.assemble(
                    f"{pair} ", (cell.text(Form.WIDE), cell.style(self._end, sixteen=sixteen))
                )


def matrix(cells: Mapping[Pair, Cell]) -> Matrix:
    """Return the matrix of some pairs, large enough for all of their participants."""
    return Matrix(1 + max(max(pair.meeting) for pair in cells), cells)
