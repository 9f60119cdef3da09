"""What was typed after a command that a service is to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import typer

from autokd.errors import PlanError

_OF_THE_SERVICE: Final = frozenset({"home", "storage"})
_COMMAND_LINE: Final = "COMMANDLINE"


class Asked:
    """What was typed after a command.

    Attributes:
        values: Values of all its parameters by name, checked as ever.
        typed: Those that were typed, with the option's name.
    """

    def __init__(self, command: str, values: Mapping[str, Any], typed: Mapping[str, str]) -> None:
        self.command, self.values, self.typed = command, values, typed

    @classmethod
    def parsed(cls, app: typer.Typer, command: str, arguments: Sequence[str]) -> Asked:
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
