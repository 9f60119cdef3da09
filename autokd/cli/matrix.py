"""The decision and its gain for every pair, teacher by student, in a matrix that fits a terminal."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Final

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from autokd.core.action import Action
from autokd.core.colors import diverging, legible_on, reach
from autokd.core.participant_names import NUMBERS_ONLY, ParticipantNames
from autokd.core.setting import Pair

LETTERS: Final = {"tuned": "t", "default": "d", "skip": "s", "undecided": "u", "failed": "f"}
"""Letters of the verdicts; the color of a cell stands for its gain."""
_ACTIONS: Final = {action.value: action.letter for action in Action}
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
    """One pair: what to do with the gain of doing it on test in pp, or its number of runs.

    Attributes:
        verdict: None before there is one.
        gain: Gain of the judged setting, shown where there is no decision.
        action: What the student's owner should do; None in recommendations of earlier versions.
        action_gain: Gain of doing that.
    """

    verdict: str | None
    gain: float | None = None
    runs: int = 0
    action: str | None = None
    action_gain: float | None = None

    @classmethod
    def of(cls, content: Mapping[str, Any] | None, runs: int = 0) -> PairCell:
        """Return the cell of a recommendation as it is stored; of none, with the number of runs."""
        if content is None:
            return cls(None, runs=runs)
        gain, decision = content["gain"], content.get("decision")
        return cls(
            content["verdict"],
            gain and gain["mean"],
            runs,
            decision and decision["action"],
            decision and decision["gain"]["mean"],
        )

    @property
    def by_verdict(self) -> PairCell:
        """The cell with its verdict and the gain of the judged setting."""
        return replace(self, action=None, action_gain=None)

    @property
    def shown(self) -> float | None:
        """The gain that is shown."""
        return self.gain if self.action is None else self.action_gain

    def text(self, form: CellForm) -> str:
        """Return the text in a form; before there is a verdict, the number of runs in brackets."""
        if self.verdict is None:
            return f"({self.runs})" if self.runs and form is not CellForm.DENSE else "·"
        letter = LETTERS[self.verdict] if self.action is None else _ACTIONS[self.action]
        if self.shown is None or form is CellForm.DENSE:
            return letter
        return f"{self.shown:+.1f} {letter}" if form is CellForm.WIDE else f"{self.shown:+.0f}{letter}"

    def style(self, end: float, *, sixteen: bool = False) -> str:
        """Return the color of the gain on a scale from -end to end."""
        if self.verdict is None:
            return _DIM
        gain = self.shown
        if gain is None:
            return "bold"
        if sixteen:
            return next(style for share, style in _STEPS if gain <= share * end)
        color = diverging(gain, end)
        return f"{legible_on(color)} on {color}"


@dataclass(frozen=True, slots=True)
class Matrix:
    """All cells in the widest form that fits the terminal; one line per pair if even letters do not fit."""

    participants: int
    cells: Mapping[Pair, PairCell]
    names: ParticipantNames = NUMBERS_ONLY

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        end = reach(cell.shown for cell in self.cells.values() if cell.shown is not None)
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
        judged = [cell for cell in self.cells.values() if cell.verdict is not None]
        decided = any(cell.action is not None for cell in judged)
        letters = _ACTIONS if decided else LETTERS
        kinds = Counter(cell.action if decided else cell.verdict for cell in judged)
        counts = [
            f"{letters[name]} {name.replace('_', ' ')} {kinds[name]}" for name in letters if kinds[name]
        ]
        unknown = sum(cell.verdict is None for cell in self.cells.values())
        if unknown:
            counts.append(f"{'·' if form is CellForm.DENSE else '(runs)'} not judged yet {unknown}")
        if not counts:
            return ""
        scale = f", red -{end:g} to blue +{end:g}" if judged and colored else ""
        ways = "rows teach, columns learn; " if form is CellForm.DENSE else ""
        what = "the decision" if decided else "the judged setting"
        return f"{ways}gain of {what} on test in pp{scale}; {', '.join(counts)}"


def matrix(cells: Mapping[Pair, PairCell], names: ParticipantNames = NUMBERS_ONLY) -> Matrix:
    """Return the matrix of some pairs, large enough for all of their participants.

    Decisions are shown if all judged pairs have one; recommendations of earlier versions have none.
    """
    return Matrix(1 + max(max(pair.meeting) for pair in cells), alike(cells), names)


def alike(cells: Mapping[Pair, PairCell]) -> Mapping[Pair, PairCell]:
    """Return cells that all show their decision, or all their verdict if one of them has no decision."""
    if all(cell.action is not None for cell in cells.values() if cell.verdict is not None):
        return cells
    return {pair: cell.by_verdict for pair, cell in cells.items()}
