"""`autokd check`: what is wrong with a study, before any work is done."""

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
    study: Annotated[str, typer.Argument(help="A YAML file, or a shipped study's name.", metavar="STUDY")],
    effect: Annotated[
        float, typer.Option(min=0.01, help="The gain that is sought, in pp: for it the splits must do.")
    ] = EFFECT,
    json: options.Json = False,
) -> None:
    """Look at all that a study names, and list every problem; writes nothing.

    Files, shapes, classes, a forward pass of each model, its accuracy on its
    own data, and images that are in two places.

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
    for one in found.warnings:
        err.print("warning: ", style="yellow", end="")
        err.print(str(one), markup=False, soft_wrap=True)
    for one in found.problems:
        fail(str(one))
    if found.problems or found.splits is None:
        return
    out.print(f"{study}: nothing is wrong", markup=False, soft_wrap=True)
    for member in found.members:
        told = "" if member.accuracy is None else f", {member.accuracy:.1%} of them right"
        line = f"  {member.number:>3}  {member.architecture:<24}{member.private:>7} private examples{told}"
        out.print(line, markup=False, soft_wrap=True)
    sizes = ", ".join(f"{name} {count}" for name, count in found.splits.items())
    out.print(f"common splits: {sizes}; a gain of {found.detectable:.1f} pp will likely show on confirmation")


def _json(study: str, found: Inspection) -> dict[str, Any]:
    return {
        "study": study,
        "problems": [_finding(one) for one in found.problems],
        "warnings": [_finding(one) for one in found.warnings],
        "participants": [
            {
                "number": one.number,
                "architecture": one.architecture,
                "private": one.private,
                "accuracy": one.accuracy,
            }
            for one in found.members
        ],
        "splits": found.splits,
        "detectable": found.detectable,
    }


def _finding(one: PlanError) -> dict[str, str]:
    return {"file": one.source, "field": one.field, "problem": one.problem}
