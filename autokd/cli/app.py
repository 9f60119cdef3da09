"""The application: registers all commands, and turns errors and interruptions into exit codes."""

from __future__ import annotations

import errno
import sys
import traceback
from importlib import import_module
from typing import Annotated, NoReturn

import typer

from autokd._version import __version__
from autokd.cli.complaints import usage
from autokd.cli.console import debugging, fail, note, show_notices
from autokd.cli.options import as_command
from autokd.cli.output import LOST_OUTPUT, lossy_output
from autokd.cli.remote import remote_server, run_remote
from autokd.cli.secrets import hide_secrets
from autokd.compute.ray_health import leave
from autokd.compute.termination import like_an_interrupt
from autokd.config.defaults import SERVER_VARIABLE, TOKEN_VARIABLE
from autokd.errors import AutokdError
from autokd.text.quoting import quoted

_INTERRUPTED = 130

app = typer.Typer(
    name="autokd",
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
for name in (
    *("init", "check", "prepare", "tune", "status", "stop", "recommend", "advise", "distill", "explain"),
    *("observations", "report", "sweep", "export", "dashboard", "serve", "list", "delete", "version"),
):
    app.command()(as_command(getattr(import_module(f"autokd.cli.{name}"), name)))


store = typer.Typer(help="Back up, restore and check the store, or give back the pairs of a dead command.")
for name in ("backup", "restore", "check", "release"):
    store.command()(as_command(getattr(import_module("autokd.cli.store"), name)))
app.add_typer(store, name="store")

token = typer.Typer(help="Make, list and revoke the tokens of the service (autokd serve).")
for name in ("create", "list", "revoke"):
    token.command()(as_command(getattr(import_module("autokd.cli.token"), name)))
app.add_typer(token, name="token")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"autokd {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def autokd(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    server: Annotated[
        str | None,
        typer.Option(
            help=f"Let a service (autokd serve) do tune, status, recommend, advise, observations, explain, "
            f"report, distill or stop, with the token in {TOKEN_VARIABLE}; also by {SERVER_VARIABLE}.",
            metavar="URL",
        ),
    ] = None,
) -> None:
    """Find the knowledge-distillation setting that works for each pair of already trained models.

    Example: [bold]autokd tune --pair 4,9[/bold]
    """
    del version, server
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(2)


def main() -> NoReturn:
    """Run the command line.

    Exit codes: 0 done, 1 a run or the store failed, 2 bad usage or input, 3 done but for standard output,
    which could not be written, 130 interrupted by Ctrl-C or SIGTERM.
    """
    hide_secrets()
    with lossy_output() as stdout, like_an_interrupt():
        code = run()
        if code == _INTERRUPTED:
            note("interrupted; results so far are stored. Run the same command again to continue.")
        stdout.flush()
        if stdout.loss is not None:
            # A reader that has seen enough, such as head, needs no word.
            if not isinstance(stdout.loss, BrokenPipeError):
                fail(f"standard output could not be written ({stdout.loss.strerror}); results are stored")
            code = code or LOST_OUTPUT
        leave(code)
    sys.exit(code)


def run() -> int:
    """Run the command that the arguments name, print an error in one line, and return the exit code."""
    try:
        # A command returns None; the code of a typer.Exit, or 130 after Ctrl-C, is returned as it is.
        with show_notices():
            if (asked := remote_server(sys.argv[1:])) is not None:
                return run_remote(app, *asked)
            return app(prog_name="autokd", standalone_mode=False) or 0
    except KeyboardInterrupt:
        # Of a moment in which typer, which makes 130 of it, is not at work.
        return _INTERRUPTED
    except AutokdError as error:
        _explain(str(error))
        return error.exit_code
    except typer.TyperException as error:
        _explain(usage(error))
        return error.exit_code
    except OSError as error:
        # Of the system, wherever it comes: a name that is too long, a disk that fails, no descriptors left.
        if error.errno is None:
            raise
        _explain(_of_the_system(error))
        return 1
    except MemoryError:
        _explain("there is not enough memory, or a limit leaves too little of it (ulimit -v)")
        return 1


def _explain(message: str) -> None:
    if debugging():
        traceback.print_exc()
    fail(message)


def _of_the_system(error: OSError) -> str:
    """Return what the system says, with the file that it is about."""
    file = "" if error.filename is None else f"{quoted(str(error.filename))}: "
    if not file and error.errno == errno.ENOENT:
        file = "the working folder may have been removed: "
    limit = " (ulimit -n)" if error.errno == errno.EMFILE else ""
    return f"{file}{error.strerror}{limit}"
