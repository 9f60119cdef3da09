"""`autokd --server URL COMMAND`: a service does the command; output and exit code are the same."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import typer

from autokd.cli.console import err, out
from autokd.errors import InputError, PlanError

if TYPE_CHECKING:
    from autokd.client import Client

SERVER_VARIABLE: Final = "AUTOKD_SERVER"
TOKEN_VARIABLE: Final = "AUTOKD_TOKEN"
READING: Final = frozenset({"status", "observations", "advise", "recommend"})
"""Commands that the service runs as they are."""
_OF_THE_SERVICE: Final = frozenset({"home", "storage"})
_COMMAND_LINE: Final = "COMMANDLINE"


def remote_server(arguments: Sequence[str]) -> tuple[str, str, list[str]] | None:
    """Return address, command and its arguments if a service is to do it; None if this machine is.

    A service is named by `--server` before the command, or by the environment. The environment does not count
    for commands that no service can do.

    Raises:
        InputError: If `--server` is followed by no address, or by a command that no service can do.
    """
    rest, address = list(arguments), None
    while rest and rest[0].startswith("-"):
        name, equals, value = rest.pop(0).partition("=")
        if name != "--server":
            return None
        address = value if equals else (rest.pop(0) if rest else "")
        if not address.strip():
            raise InputError("--server: needs an address, e.g. --server http://127.0.0.1:8321")
    if not rest:
        return None
    command = rest.pop(0)
    if command in _COMMANDS:
        address = address or os.environ.get(SERVER_VARIABLE)
        return None if not address else (address, command, rest)
    if address is None:
        return None
    raise InputError(
        f"--server: a service does autokd {', '.join(sorted(_COMMANDS))}; run autokd {command} without it"
    )


def run_remote(app: typer.Typer, address: str, command: str, arguments: Sequence[str]) -> int:
    """Let a service do a command, print what it prints, and return its exit code.

    Raises:
        InputError: If an option does not hold, or the service refuses.
        ServiceError: If the service does not answer.
    """
    if find_spec("httpx2") is None:
        raise InputError("--server needs httpx2; pip install 'autokd[client]'")
    from autokd.client import Client

    asked = _Asked.parsed(app, command, arguments)
    with Client(address) as client:
        return _COMMANDS[command](client, asked)


class _Asked:
    """What was typed after a command.

    Attributes:
        values: Values of all its parameters by name, checked as ever.
        typed: Those that were typed, with the option's name.
    """

    def __init__(self, command: str, values: Mapping[str, Any], typed: Mapping[str, str]) -> None:
        self.command, self.values, self.typed = command, values, typed

    @classmethod
    def parsed(cls, app: typer.Typer, command: str, arguments: Sequence[str]) -> _Asked:
        """Return the arguments of a command as Typer reads them; it prints the help if that is asked for."""
        group = typer.main.get_command(app)
        subcommand = group.commands[command]  # type: ignore[attr-defined]
        context = subcommand.make_context(f"autokd {command}", list(arguments))
        typed = {
            parameter.name: max(parameter.opts, key=len)
            for parameter in subcommand.params
            if getattr(context.get_parameter_source(parameter.name), "name", "") == _COMMAND_LINE
        }
        for name in typed.keys() & _OF_THE_SERVICE:
            raise PlanError.of_option(typed[name], "is the service's; leave it out with --server")
        return cls(command, context.params, typed)

    @property
    def study(self) -> str:
        """The name of a study recipe of the service.

        Raises:
            PlanError: If it is a file.
        """
        study = str(self.values["study"])
        if "/" in study or "\\" in study or study.endswith((".yaml", ".yml")):
            raise PlanError.of_option(
                "--study", "name a study recipe of the service; a file here is unknown there"
            )
        return study

    @property
    def space(self) -> str | None:
        """The name of a shipped space."""
        space = self.values.get("space")
        return None if space is None else str(space)

    def options(self, *left_out: str) -> list[dict[str, str]]:
        """Return the options that were typed, each with its value, as a request has them."""
        entries: list[dict[str, str]] = []
        for name, option in self.typed.items():
            if name in ("study", "space", "debug", *left_out):
                continue
            value = self.values[name]
            if value is True:
                entries.append({"name": option})
            elif not isinstance(value, bool):
                several = value if isinstance(value, list | tuple) else [value]
                named = option if option.startswith("--") else "--pairs"
                entries += [{"name": named, "value": str(getattr(each, "value", each))} for each in several]
        return entries


def _read(client: Client, asked: _Asked) -> int:
    """Print what a command prints where the service runs."""
    options, path = asked.options("path"), asked.values.get("path")
    if path is not None:
        from autokd.cli.listing import form_of

        flags = {name: bool(asked.values.get(name)) for name in ("json", "csv", "yaml")}
        form = form_of(**flags, path=path)
        if form is not None and not any(flags.values()):
            options.append({"name": f"--{form.value}"})
    answer = client.run(
        asked.command,
        asked.study,
        space=asked.space,
        options=options,
        columns=min(max(out.width, 20), 500),
        color=out.is_terminal and out.color_system is not None and path is None,
    )
    if answer["errors"]:
        err.file.write(answer["errors"])
    if path is None:
        out.file.write(answer["output"])
    elif answer["exit_code"] == 0:
        from autokd.cli.console import note
        from autokd.core.atomic_write import write_together

        write_together({path: answer["output"].encode()}, option=f"--out {path}")
        note(f"wrote {path}")
    return int(answer["exit_code"])


def _report(client: Client, asked: _Asked) -> int:
    """Write the page of the service."""
    import tempfile

    from autokd.report.pdf import writer_of

    for name in asked.typed.keys() & {"pair", "figures", "json"}:
        raise PlanError.of_option(asked.typed[name], "is not for a service; the page has all pairs")
    path: Path = asked.values["path"]
    write = writer_of(path)
    with tempfile.TemporaryDirectory() as folder:
        page = client.report(asked.study, Path(folder) / "page.html", space=asked.space).read_text("utf-8")
    write(page, path)
    out.print(f"wrote {path}; open it in a browser", soft_wrap=True)
    return 0


_COMMANDS: Final[Mapping[str, Callable[[Client, _Asked], int]]] = {
    **dict.fromkeys(READING, _read),
    "report": _report,
}
