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
from autokd.core.participant_names import NUMBERS_ONLY, ParticipantNames
from autokd.core.setting import Pair

LETTERS: Final = {"tuned": "t", "default": "d", "skip": "s", "undecided": "u", "failed": "f"}
"""Letters of the verdicts; the color of a cell stands for its gain."""
FEW: Final = 6
"""Most pairs that are listed one by one; more are shown as a matrix."""
_DIM: Final = "dim"
_BLUE, _RED = "bright_white on blue", "bright_white on red"
_STEPS: Final = ((-0.5, _RED), (-0.1, "red"), (0.1, ""), (0.5, "cyan"), (math.inf, _BLUE))
"""Style of a gain on terminals with sixteen colors, by the largest share of the scale's end."""


class CellForm(Enum):
    """How much of a pair a cell shows, most first."""

    WIDE = "+12.3 t"
    NARROW = "+12t"
    DENSE = "t"


@dataclass(frozen=True, slots=True)
class PairCell:
    """One pair: its verdict with the gain of the judged setting on test in pp, or its number of runs."""

    verdict: str | None
    gain: float | None = None
    runs: int = 0

    def text(self, form: CellForm) -> str:
        """Return the text in a form; before there is a verdict, the number of runs in brackets."""
        if self.verdict is None:
            return f"({self.runs})" if self.runs and form is not CellForm.DENSE else "·"
        letter = LETTERS[self.verdict]
        if self.gain is None or form is CellForm.DENSE:
            return letter
        return f"{self.gain:+.1f} {letter}" if form is CellForm.WIDE else f"{self.gain:+.0f}{letter}"

    def style(self, end: float, *, sixteen: bool = False) -> str:
        """Return the color of the gain on a scale from -end to end."""
        if self.verdict is None:
            return _DIM
        if self.gain is None:
            return "bold"
        if sixteen:
            return next(style for share, style in _STEPS if self.gain <= share * end)
        color = diverging(self.gain, end)
        return f"{legible_on(color)} on {color}"


@dataclass(frozen=True, slots=True)
class Matrix:
    """All cells in the widest form that fits the terminal; one line per pair if even letters do not fit."""

    participants: int
    cells: Mapping[Pair, PairCell]
    names: ParticipantNames = NUMBERS_ONLY

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        end = reach(cell.gain for cell in self.cells.values() if cell.gain is not None)
        sixteen = console.color_system in ("standard", "windows")
        styles = {pair: cell.style(end, sixteen=sixteen) for pair, cell in self.cells.items()}
        widths = {form: self._widths(form) for form in CellForm}
        total = {form: label + self.participants * column for form, (label, column) in widths.items()}
        form = next((form for form in CellForm if total[form] <= options.max_width), None)
        if form is not None:
            yield from self._header(form, *widths[form])
            yield from self._rows(form, *widths[form], styles)
        else:
            for pair, cell in sorted(self.cells.items()):
                if cell.verdict is not None:
                    yield Text.assemble(
                        f"{self.names.arrow(pair)} ", (cell.text(CellForm.WIDE), styles[pair])
                    )
        colored = console.color_system is not None and not console.no_color
        yield Text(self._legend(form, end, colored), style=_DIM)
        if self.names and form is not None:
            named = (self.names.label(number) for number in range(self.participants))
            yield Text(f"participants: {', '.join(named)}", style=_DIM)

    def _widths(self, form: CellForm) -> tuple[int, int]:
        """Return the widths of the teachers' column and of a student's, with a space between neighbors."""
        digits = len(str(self.participants - 1))
        if form is CellForm.DENSE:
            return digits, 2
        longest = max((len(cell.text(form)) for cell in self.cells.values()), default=0)
        return len("teacher"), max(longest, 2 + digits) + 1

    def _header(self, form: CellForm, label: int, column: int) -> Iterator[Text]:
        """Yield the students, one digit per line if columns are too narrow for more."""
        students = [str(student) for student in range(self.participants)]
        if form is not CellForm.DENSE:
            yield Text("teacher" + "".join(f"->{student}".rjust(column) for student in students), style=_DIM)
            return
        for place in range(label):
            digits = "".join(student.rjust(label)[place].rjust(column) for student in students)
            yield Text(" " * label + digits, style=_DIM)

    def _rows(self, form: CellForm, label: int, column: int, styles: Mapping[Pair, str]) -> Iterator[Text]:
        for teacher in range(self.participants):
            row = Text(str(teacher).rjust(label), style=_DIM)
            for student in range(self.participants):
                pair = None if teacher == student else Pair(teacher, student)
                if pair is None or pair not in self.cells:
                    row.append(" " * column)
                    continue
                cell = self.cells[pair]
                text = cell.text(form).rjust(column - 1) if cell.verdict else cell.text(form)
                row.append(" " * (column - len(text)))
                row.append(text, f"not dim {styles[pair]}")
            yield row

    def _legend(self, form: CellForm | None, end: float, colored: bool) -> str:
        """Return what colors and letters mean, with the number of pairs of each verdict."""
        verdicts = Counter(cell.verdict for cell in self.cells.values() if cell.verdict is not None)
        counts = [f"{LETTERS[name]} {name} {verdicts[name]}" for name in LETTERS if verdicts[name]]
        unknown = sum(cell.verdict is None for cell in self.cells.values())
        if unknown:
            counts.append(f"{'·' if form is CellForm.DENSE else '(runs)'} not judged yet {unknown}")
        if not counts:
            return ""
        scale = f", red -{end:g} to blue +{end:g}" if verdicts and colored else ""
        ways = "rows teach, columns learn; " if form is CellForm.DENSE else ""
        return f"{ways}gain of the judged setting on test in pp{scale}; {', '.join(counts)}"


def matrix(cells: Mapping[Pair, PairCell], names: ParticipantNames = NUMBERS_ONLY) -> Matrix:
    """Return the matrix of some pairs, large enough for all of their participants."""
    return Matrix(1 + max(max(pair.meeting) for pair in cells), cells, names)
