"""`autokd init`: write a study recipe to start from."""

from __future__ import annotations

from contextlib import ExitStack
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from autokd.cli.console import out
from autokd.errors import InputError

_NAME = Path("mine.yaml")


def init(
    file: Annotated[Path, typer.Argument(help="Study recipe to write.", metavar="FILE")] = _NAME,
) -> None:
    """Write a commented study recipe for models and data of your own; never replaces a file.

    Example:
        autokd init mine.yaml
    """
    if file.suffix not in (".yaml", ".yml"):
        raise InputError(f"{file}: a recipe's name ends in .yaml")
    text = (files("autokd") / "cli" / "own.yaml").read_text(encoding="utf-8")
    try:
        # Mode `x` fails if the file exists: nothing is ever replaced.
        with file.open("x", encoding="utf-8") as opened, ExitStack() as if_it_fails:
            if_it_fails.callback(file.unlink)
            opened.write(text)
            opened.flush()
            if_it_fails.pop_all()
    except FileExistsError:
        raise InputError(f"{file}: is there already; name another file") from None
    except OSError as error:
        raise InputError(f"{file}: cannot be written: {error.strerror or error}") from error
    out.print(f"wrote {file}; fill it in, then: autokd check {file}", soft_wrap=True)
