"""Commands that start no run, done by the very command line, for somebody who asks from another machine."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from autokd.config.defaults import (
    HOME_VARIABLE,
    NO_RUNS_VARIABLE,
    SPACE_VARIABLE,
    STORAGE_VARIABLE,
    STUDY_VARIABLE,
)
from autokd.config.mistakes import NAME
from autokd.core.safe_path import child_environment
from autokd.errors import PlanError
from autokd.service.catalogue import KnownStudy
from autokd.service.places import without_place
from autokd.service.problems import Problem
from autokd.service.settings import ServiceSettings
from autokd.service.subprocesses import run_autokd
from autokd.text.quoting import one_of

_PAIRS: Final = {"--pair": True, "--pairs": True, "--student": True, "--teacher": True, "--all": False}
_JSON: Final = {"--json": False}
_SEVERAL: Final = {"--teachers": True, "--all-students": False}
DONE: Final[Mapping[str, Mapping[str, bool]]] = {
    "explain": {"--pair": True, "--student": True, "--teachers": True, **_JSON},
    "tune": {
        **_PAIRS,
        **_SEVERAL,
        **dict.fromkeys(("--trials", "--try", "--effort", "--position"), True),
        **dict.fromkeys(("--time", "--epochs", "--share-of-sweep"), True),
        **_JSON,
    },
}
"""Commands whose job is done, so that they start no run: they print what there is. As `OPTIONS`."""
OPTIONS: Final[Mapping[str, Mapping[str, bool]]] = {
    "status": _JSON,
    "observations": _JSON,
    "advise": {"--student": True, "--all": False, **_JSON},
    "recommend": {
        **_PAIRS,
        **_SEVERAL,
        "--csv": False,
        "--yaml": False,
        "--stale": False,
        "--top": True,
        "--verdict": True,
        "--predict": False,
        **_JSON,
    },
    **DONE,
}
"""By command its options, and whether each takes a value. None of them names a file or starts a run."""
_AT_ONCE: Final = 2
"""Commands at once; each is a process of its own, and more have to wait."""
_WAITING: Final = 20
"""Commands that may wait for those; one more is refused."""
_SECONDS: Final = 120.0
_LARGEST: Final = 32 * 2**20
"""Most bytes of output; `recommend --all --json` of 9,900 pairs has some 20 million."""
_KEPT: Final = frozenset({"PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT", "TZ"})
"""Variables of the service that a command gets, beside those of the study."""

Word = Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]


class CommandOption(BaseModel):
    """An option of a command."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(max_length=40, pattern=r"^--[a-z-]+$", examples=["--pair"])]
    value: Word | None = None


class CommandRequest(BaseModel):
    """A command, as it would be typed where the service runs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    command: Literal["status", "observations", "advise", "recommend", "tune", "explain"]
    study: Annotated[str, Field(pattern=NAME, description="A study recipe, as /v1/studies lists it.")]
    space: Annotated[str, Field(pattern=NAME)] | None = Field(
        default=None, description="A shipped search space; by default the recipe's own."
    )
    options: list[CommandOption] = Field(default=[], max_length=1000)
    columns: int = Field(default=80, ge=20, le=500, description="Width of the terminal.")
    color: bool = Field(default=False, description="Whether the text has colours, as ANSI sequences.")


class CommandOutput(BaseModel):
    """What a command has written, and its exit code."""

    exit_code: int
    output: str = Field(description="Standard output.")
    errors: str = Field(description="Standard error.")


def arguments(request: CommandRequest) -> list[str]:
    """Return the arguments of a command.

    Raises:
        PlanError: If an option is none that the command may have here.
    """
    takes_value, words = OPTIONS[request.command], [str(request.command)]
    for option in request.options:
        if option.name not in takes_value:
            problem = f"autokd {request.command} takes {one_of(takes_value)} here, not {option.name}"
            raise PlanError(source="body", field="options", problem=problem)
        if takes_value[option.name] != (option.value is not None):
            wanted = "takes a value" if takes_value[option.name] else "takes no value"
            raise PlanError(source="body", field="options", problem=f"{option.name} {wanted}")
        words.append(option.name if option.value is None else f"{option.name}={option.value}")
    return words


class Commands:
    """Runs commands, a few at once, each in a process of its own.

    Args:
        settings: Where the store is.
    """

    def __init__(self, settings: ServiceSettings) -> None:
        self._settings, self._room, self._asked = settings, asyncio.Semaphore(_AT_ONCE), 0

    async def run(self, request: CommandRequest, study: KnownStudy) -> CommandOutput:
        """Run a command to its end, and return what it has written.

        Raises:
            PlanError: See `arguments`.
            Problem: If it takes too long, or too many are waiting.
        """
        words = arguments(request)
        if self._asked >= _AT_ONCE + _WAITING:
            later = {"Retry-After": "5"}
            problem = "too many commands are waiting"
            raise Problem(503, "busy", problem, way_out="try again in 5 s", headers=later)
        self._asked += 1
        try:
            async with self._room:
                printed = await run_autokd(
                    words,
                    environment=_environment(self._settings, request, study),
                    seconds=_SECONDS,
                    noun="the command",
                    way_out="ask for less, or run the command where the service runs",
                    folder=self._settings.home if self._settings.home.is_dir() else None,
                )
        finally:
            self._asked -= 1
        if len(printed.output) > _LARGEST:
            raise Problem(413, "size", "the output is too large", way_out="ask for fewer pairs")
        output, errors = (
            without_place(text.decode("utf-8", "replace"), self._settings.home, self._settings.root)
            for text in (printed.output, printed.errors)
        )
        return CommandOutput(exit_code=printed.exit_code, output=output, errors=errors)


def _environment(settings: ServiceSettings, request: CommandRequest, study: KnownStudy) -> dict[str, str]:
    """Return the environment of a command.

    The study is in it, and not in the arguments, which other users of the machine may read, and which texts
    about further commands repeat.
    """
    own = {name: value for name, value in os.environ.items() if name in _KEPT}
    own |= {name: value for name, value in child_environment().items() if value is not None}
    own |= {
        HOME_VARIABLE: str(settings.home.absolute()),
        STORAGE_VARIABLE: settings.address,
        STUDY_VARIABLE: study.source,
        NO_RUNS_VARIABLE: "1",
        "COLUMNS": str(request.columns),
        "PYTHONIOENCODING": "utf-8",
        "TERM": "xterm-256color" if request.color else "dumb",
        ("FORCE_COLOR" if request.color else "NO_COLOR"): "1",
    }
    if request.space is not None:
        own[SPACE_VARIABLE] = request.space
    return own
