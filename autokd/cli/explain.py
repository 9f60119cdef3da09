"""`autokd explain`: compare a recommendation with its alternatives, and say where its gain comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import typer
from rich.table import Table
from rich.text import Text

from autokd.cli import options
from autokd.cli.console import NOTHING_LEFT, note, out, print_result
from autokd.cli.progress import watching
from autokd.core.setting import Split

if TYPE_CHECKING:
    from autokd.explanation.comparison import Line
    from autokd.explanation.explanation import Explanation
    from autokd.statistics.paired import Interval

_NAME: Final = 29
"""Width of an alternative's name."""
_FIGURE: Final = 20
"""Width of an interval without its unit."""


def explain(
    pair: options.PairText,
    study: options.StudyOptions,
    computing: options.RunOptions,
    json: options.Json = False,
) -> None:
    """Compare the recommendation of a tuned pair with its alternatives, and say where its gain comes from.

    The alternatives: training on the same examples without a teacher; the default setting on each transfer
    set and with another learning rate; the setting that is best for other pairs; averaging both models;
    adopting the partner's model; doing nothing; fine-tuning on the validation split. The gain is divided
    into the shares of T and α, of the transfer set, and of the position. This takes about 50 additional
    runs; stored runs are not run again.

    Examples:

        [bold]autokd explain --pair 4,9[/bold]

        [bold]autokd explain --pair 4,9 --json[/bold]   (also the figures on confirmation)
    """
    from autokd.workflows import explain as workflow

    workspace = study.workspace()
    with watching() as callbacks:
        explained = workflow.explain(
            workspace, workspace.pair(pair), callbacks=callbacks, **computing.keywords()
        )
    if explained.explanation is None:
        raise typer.Exit(130)
    if not explained.ran:
        note(NOTHING_LEFT)
    print_result(explained.explanation, show, json=json)


def show(found: Explanation) -> None:
    """Print the alternatives, whether teacher or data make the gain, and what each step is worth."""
    out.print(Text.assemble((str(found.pair), "bold"), f" {found.verdict}: {found.setting}"))
    out.print(rivals(found))
    for line in found.lines:
        if line.note:
            out.print(Text(f"{line.words}: {line.note}", style="dim"))
    out.print(Text.assemble(("teacher or data: ", "bold"), found.teacher_or_data))
    _show_steps(found)
    out.print(
        Text(
            f"pp with 95% intervals; wins, loses: shown on confirmation; {found.runs} runs of alternatives, "
            f"{found.epochs} epochs",
            style="dim",
        )
    )


def rivals(found: Explanation) -> Table:
    """Return the gain of each alternative and its difference; the last column is shown on confirmation."""
    shown = "answer" if found.verdict.answer != "as-is" else "candidate"
    grid = _grid("gain on test", f"{shown} minus it", "")
    grid.add_row(Text(f"the {shown}", style="bold"), Text(figure(found.gain[Split.TEST]), style="bold"))
    for line in found.lines:
        grid.add_row(line.words, *_cells(line))
    return grid


def _cells(line: Line) -> tuple[str, str, Text]:
    if line.gain is None or line.difference is None:
        return "not known", "", Text("")
    decided = line.difference[Split.CONFIRMATION]
    mark = ("wins", "green") if decided.low > 0 else ("loses", "red") if decided.high < 0 else ("", "")
    return figure(line.gain[Split.TEST]), figure(line.difference[Split.TEST]), Text(*mark)


def _grid(*headers: str) -> Table:
    """Return an empty table for names and figures, within 80 characters."""
    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    grid.add_column(min_width=_NAME, max_width=_NAME)
    for header in headers:
        grid.add_column(header, header_style="dim", min_width=_FIGURE if header else None)
    return grid


def _show_steps(found: Explanation) -> None:
    if found.attribution is None:
        out.print(Text("where the gain comes from: unknown, since runs failed", style="yellow"))
        return
    out.print(Text("where the gain beyond the default comes from", style="bold"))
    grid = _grid("worth on test")
    for step, worth in found.attribution.parts.items():
        grid.add_row(step.value, figure(worth[Split.TEST]))
    grid.add_row("together", figure(found.attribution.total[Split.TEST]))
    out.print(grid)
    if len(found.attribution.parts) > 2:
        adopted = figure(found.adoption[Split.TEST])
        out.print(Text(f"adopting the partner's model without any training gains {adopted}", style="dim"))


def figure(interval: Interval) -> str:
    """Return an interval without its unit."""
    return f"{interval.mean:+.1f} [{interval.low:+.1f}, {interval.high:+.1f}]"
