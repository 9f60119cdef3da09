"""`autokd check`: find what is wrong with a study recipe, before any work is done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from autokd.cli import options
from autokd.cli.console import err, fail, out, print_json
from autokd.config.defaults import EFFECT, STUDY

if TYPE_CHECKING:
    from autokd.workflows.check import Inspection


def check(
    named: Annotated[
        str | None,
        typer.Argument(
            help="Study recipe: a YAML file or a shipped one's name; the same as --study.",
            metavar="STUDY",
            show_default=False,
        ),
    ] = None,
    study: options.Study = STUDY,
    effect: Annotated[
        float, typer.Option(min=0.01, help="Gain in pp that the splits must be large enough to show.")
    ] = EFFECT,
    json: options.Json = False,
) -> None:
    """Check everything that a study recipe names, and list every problem; writes nothing.

    It checks files, shapes, classes, a forward pass of each model and its accuracy on its own data, and
    finds images that are in two data sets.

    Example:
        autokd check mine.yaml
    """
    from autokd.workflows.check import inspect

    study = named or study
    inspection = inspect(study, effect=effect)
    if json:
        print_json(inspection.to_json(study))
    else:
        _show(study, inspection)
    if inspection.problems:
        raise typer.Exit(2)


def _show(study: str, inspection: Inspection) -> None:
    for warning in inspection.warnings:
        err.print(Text.assemble(("warning: ", "yellow"), str(warning)), soft_wrap=True)
    for problem in inspection.problems:
        fail(str(problem))
    # Results are those of a recipe without problems; what could be measured helps to find them.
    console = err if inspection.problems else out
    if not inspection.problems:
        out.print(f"{study}: nothing is wrong", soft_wrap=True)
    for member in inspection.members:
        correct = "" if member.accuracy is None else f", {member.accuracy:.1%} of them correct"
        line = f"  {member.number:>3}  {member.architecture:<24}{member.private:>7} private examples{correct}"
        line += f"  {member.name}" if member.name else ""
        console.print(line, soft_wrap=True)
        if member.splits:
            shares = ", ".join(f"{share:.1%} of {name}" for name, share in member.splits.items())
            out.print(f"       {shares}", soft_wrap=True)
    if inspection.splits is None:
        return
    sizes = ", ".join(f"{name} {count}" for name, count in inspection.splits.items())
    smallest = f"{inspection.detectable:.1f} pp"
    out.print(f"common splits: {sizes}; a gain of {smallest} or more will probably be shown on confirmation")
