"""`autokd delete`: remove studies, or a federation with all of its studies."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from autokd.cli import options
from autokd.cli.console import note, out, print_json
from autokd.cli.list import size
from autokd.config.defaults import HOME
from autokd.errors import InputError
from autokd.text.escaping import one_line
from autokd.text.quoting import counted


def delete(
    name: Annotated[
        str,
        typer.Argument(help="What to delete, as autokd list names it.", metavar="NAME", show_default=False),
    ],
    home: options.Home = HOME,
    storage: options.Storage = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Delete without asking.")] = False,
    json: options.Json = False,
) -> None:
    """Delete a study, all studies of a recipe, or a federation with all of its studies and its folder.

    It asks first, and refuses while a command is at work on any of them. Nothing brings deleted results back
    but a backup (`autokd store backup`).

    Examples:
        autokd delete digits-1a2b3c4d/digits-default-5e6f7a8b   (a recipe)
        autokd delete digits-1a2b3c4d --yes   (a federation)
    """
    from autokd.config.defaults import usual_storage
    from autokd.workflows import inventory as workflow
    from autokd.workspace import storage_url

    address = storage_url(storage or usual_storage(), home)
    deletion = workflow.to_delete(name, home, address)
    trials = sum(study.trials for study in deletion.studies)
    runs = sum(study.runs for study in deletion.studies)
    numbers = ((len(deletion.studies), "pair"), (trials, "trial"), (runs, "run"))
    what = ", ".join(counted(number, noun) for number, noun in numbers)
    if deletion.federation is not None:
        what += f", and the federation ({size(deletion.size)})"
    if not yes:
        if not sys.stdin.isatty():
            raise InputError(f"would delete {what}; add --yes, since there is no terminal to ask on")
        if not _confirmed(one_line(f"delete {what} of {deletion.name}?")):
            note("nothing was deleted")
            raise typer.Exit(1)
    workflow.delete(deletion, address)
    if json:
        print_json(deletion.to_json())
    else:
        out.print(one_line(f"deleted {what} of {deletion.name}"), soft_wrap=True)


def _confirmed(question: str) -> bool:
    """Ask on the terminal; the end of input or Ctrl-C is a no."""
    try:
        return typer.confirm(question, err=True)
    except typer.Abort:
        return False
