"""`autokd explain`: compare a recommendation with its alternatives, and say where its gain comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer
from rich.table import Column, Table
from rich.text import Text

from autokd.cli import options
from autokd.cli.console import NOTHING_LEFT, note, out, plain_table, print_result
from autokd.cli.progress import watching
from autokd.cli.students import StudentOptions
from autokd.config.target import remark
from autokd.core.pair import Pair
from autokd.core.setting import Split

if TYPE_CHECKING:
    from autokd.core.pair import Group
    from autokd.explanation.explanation import Explanation
    from autokd.explanation.leave_one_out import TeacherParts
    from autokd.statistics.paired import Interval
    from autokd.workspace import Workspace


def explain(
    students: StudentOptions,
    study: options.StudyOptions,
    computing: options.RunOptions,
    json: options.Json = False,
) -> None:
    """Compare the recommendation of a tuned pair with its alternatives, and say where its gain comes from.

    The alternatives: training without a teacher, on the same and on other examples; the default setting on
    each transfer set and with another budget; the setting that is best for other pairs; averaging both
    models; adopting the partner's model; dividing label priors out of these; doing nothing; fine-tuning on
    the validation split. The gain is divided into steps: label prior, budget, examples, teacher, T and α, and
    position. This takes 50 to 80 additional runs; stored runs are not run again.

    Of several teachers, the setting judged is run without each of them: what each adds.

    Examples:
        autokd explain --pair 4,9
        autokd explain --pair 4,9 --json   (also the figures on confirmation)
        autokd explain --student 9 --teachers 0,3,7   (which of them adds how much)
    """
    from autokd.workflows import explain as workflow

    workspace = study.workspace()
    chosen = students.chosen(workspace)
    if not isinstance(chosen, Pair):
        _explain_group(workspace, chosen, computing, json=json)
        return
    with watching() as callbacks:
        explained = workflow.explain(workspace, chosen, callbacks=callbacks, **computing.keywords())
    if explained.explanation is None:
        raise typer.Exit(130)
    if not explained.ran:
        note(NOTHING_LEFT)
    print_result(explained.explanation, show, json=json)


def _explain_group(workspace: Workspace, group: Group, computing: options.RunOptions, *, json: bool) -> None:
    from autokd.workflows.explain_group import explain_group

    with watching() as callbacks:
        explained = explain_group(workspace, group, callbacks=callbacks, **computing.keywords())
    if explained.parts is None:
        raise typer.Exit(130)
    if not explained.ran:
        note(NOTHING_LEFT)
    print_result(explained.parts, show_teachers, json=json)


def show_teachers(parts: TeacherParts) -> None:
    """Print what each of several teachers adds to the setting judged."""
    out.print(Text.assemble((str(parts.group), "bold"), f" {parts.verdict}: {parts.setting}"))
    if not parts.lines:
        out.print("fewer than two teach in this setting, so there is none to leave out")
    grid = _table("adds on test", "adds on confirmation")
    for number, line in parts.lines.items():
        if line.difference is None:
            grid.add_row(f"teacher {number}", line.note or "not known")
        else:
            figures = (_figure(line.difference[split]) for split in (Split.TEST, Split.CONFIRMATION))
            grid.add_row(f"teacher {number}", *figures)
    out.print(grid)
    if text := remark(parts.target):
        out.print(text, style="dim")
    runs = f"{parts.runs} runs without one of them, {parts.epochs} epochs"
    out.print(f"pp of what is gained beyond the setting without that teacher; {runs}", style="dim")


def show(explanation: Explanation) -> None:
    """Print the alternatives, whether teacher or data make the gain, and what each step is worth."""
    out.print(
        Text.assemble(
            (explanation.names.arrow(explanation.pair), "bold"),
            f" {explanation.verdict}: {explanation.setting}",
        )
    )
    out.print(_alternatives(explanation))
    for line in explanation.lines:
        if line.note:
            out.print(f"{line.words}: {line.note}", style="dim")
    out.print(Text.assemble(("teacher or data: ", "bold"), explanation.teacher_or_data))
    _show_steps(explanation)
    if text := remark(explanation.target):
        out.print(text, style="dim")
    runs = f"{explanation.runs} runs of alternatives, {explanation.epochs} epochs"
    out.print(f"pp with 95% intervals; wins, loses: on confirmation and test; {runs}", style="dim")


def _alternatives(explanation: Explanation) -> Table:
    """Return gains and differences on test; the last column is what confirmation and test show."""
    shown = "answer" if explanation.verdict.answer != "as-is" else "candidate"
    grid = _table("gain on test", f"{shown} minus it")
    grid.add_column()
    grid.add_row(f"the {shown}", _figure(explanation.gain[Split.TEST]), style="bold")
    for line in explanation.lines:
        if line.gain is None or line.difference is None:
            grid.add_row(line.words, "not known")
            continue
        mark = {"wins": ("wins", "green"), "loses": ("loses", "red")}.get(line.outcome, ("", ""))
        figures = (_figure(by_split[Split.TEST]) for by_split in (line.gain, line.difference))
        grid.add_row(line.words, *figures, Text(*mark))
    return grid


def _table(*headers: str) -> Table:
    """Return an empty table for a name and intervals without their unit, within 80 characters."""
    intervals = (Column(header, min_width=20) for header in headers)
    return plain_table(Column(min_width=29, max_width=29), *intervals)


def _show_steps(explanation: Explanation) -> None:
    from autokd.explanation.attribution import Step

    attribution = explanation.attribution
    if attribution is None:
        out.print("where the gain comes from: unknown, since runs failed", style="yellow")
        return
    beyond = " beyond the default" if attribution.beyond_default else ""
    out.print(f"where the gain{beyond} comes from", style="bold")
    grid = _table("worth on test")
    for step, worth in attribution.parts.items():
        grid.add_row(step.value, _figure(worth[Split.TEST]))
    grid.add_row("together", _figure(attribution.total[Split.TEST]))
    out.print(grid)
    for step, why in attribution.left_out.items():
        out.print(f"{step.value}: {why}", style="dim")
    if Step.POSITION in attribution.parts:
        adopted = _figure(explanation.adoption[Split.TEST])
        out.print(f"adopting the partner's model without any training gains {adopted}", style="dim")


def _figure(interval: Interval) -> str:
    """Return an interval without its unit."""
    return f"{interval.mean:+.1f} [{interval.low:+.1f}, {interval.high:+.1f}]"
