"""The application: all commands, and the one place that turns our errors into exit codes."""

from __future__ import annotations

import sys
from typing import NoReturn

import typer

from autokd.cli import dashboard, prepare, recommend, tune, version
from autokd.cli.console import fail
from autokd.cli.options import debugging
from autokd.cli.secrets import hide_secrets
from autokd.errors import AutokdError

app = typer.Typer(
    name="autokd",
    help="Find the knowledge-distillation setting that works for each pair of already trained models.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
for command in (prepare.prepare, tune.tune, recommend.recommend, dashboard.dashboard, version.version):
    app.command()(command)


def main() -> NoReturn:
    """Run the command line.

    Exit codes: 0 done, 1 a run or the store failed, 2 bad usage or input, 130 interrupted.
    """
    hide_secrets()
    try:
        app()
    except AutokdError as error:
        if debugging():
            raise
        fail(str(error))
        sys.exit(error.exit_code)
    sys.exit(0)
