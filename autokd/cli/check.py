"""`autokd check`: find what is wrong with a study recipe, before any work is done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from autokd.cli import options
from autokd.cli.console import err, fail, out, print_json
from autokd.config.defaults import EFFECT

if TYPE_CHECKING:
    from autokd.errors import PlanError
    from autokd.workflows.check import Inspection

_INPUT = 2


def check(
    study: Annotated[
        str, typer.Argument(help="Study recipe: a YAML file or a shipped one's name.", metavar="STUDY")
    ],
    effect: Annotated[
        float, typer.Option(min=0.01, help="Gain in pp that the splits must be large enough to show.")
    ] = EFFECT,
    json: options.Json = False,
) -> None:
    """Check everything that a study recipe names, and list every problem; writes nothing.

    It checks files, shapes, classes, a forward pass of each model and its accuracy on its own data, and
    finds images that are in two data sets.

    Example: [bold]autokd check mine.yaml[/bold]
    """
    from autokd.workflows.check import inspect

    found = inspect(study, effect=effect)
    if json:
        print_json(_json(study, found))
    else:
        _show(study, found)
    if found.problems:
        raise typer.Exit(_INPUT)


def _show(study: str, found: Inspection) -> None:
    for warning in found.warnings:
        err.print("warning: ", style="yellow", end="")
        err.print(str(warning), markup=False, soft_wrap=True)
    for problem in found.problems:
        fail(str(problem))
    if found.problems or found.splits is None:
        return
    out.print(f"{study}: nothing is wrong", markup=False, soft_wrap=True)
    for member in found.members:
        correct = "" if member.accuracy is None else f", {member.accuracy:.1%} of them correct"
        line = f"  {member.number:>3}  {member.architecture:<24}{member.private:>7} private examples{correct}"
        out.print(line, markup=False, soft_wrap=True)
    sizes = ", ".join(f"{name} {count}" for name, count in found.splits.items())
    out.print(f"common splits: {sizes}; confirmation will likely show a gain of {found.detectable:.1f} pp")


def _json(study: str, found: Inspection) -> dict[str, Any]:
    return {
        "study": study,
        "problems": [_finding(problem) for problem in found.problems],
        "warnings": [_finding(warning) for warning in found.warnings],
        "participants": [
            {name: getattr(member, name) for name in ("number", "architecture", "private", "accuracy")}
            for member in found.members
        ],
        "splits": found.splits,
        "detectable": found.detectable,
    }


def _finding(error: PlanError) -> dict[str, str]:
    return {"file": error.source, "field": error.field, "problem": error.problem}
