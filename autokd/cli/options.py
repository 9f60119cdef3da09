"""Options that several commands share, each written once, in groups; and what the groups stand for.

A `Group` is a dataclass whose fields are options. A command takes it as one parameter, and `as_command` gives
Typer the fields in its place.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass, fields
from inspect import Parameter, Signature, cleandoc, signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, get_args, get_type_hints

import typer

from autokd.cli.console import DEBUG_VARIABLE
from autokd.cli.secrets import holds_secret
from autokd.compute.ray_cluster import check_address
from autokd.compute.resources import Resources
from autokd.config.defaults import (
    HOME,
    HOME_VARIABLE,
    SPACE_VARIABLE,
    STORAGE_VARIABLE,
    STUDY,
    STUDY_VARIABLE,
)
from autokd.errors import ArgumentError, InputError, PlanError
from autokd.text.escaping import shell_word

if TYPE_CHECKING:
    from autokd.compute.device import Compute
    from autokd.config.yaml_files import Kind
    from autokd.workspace import Workspace


def _debug(wanted: bool) -> None:
    if wanted:
        os.environ[DEBUG_VARIABLE] = "1"


def _cluster(address: str | None) -> str | None:
    """Return the address of a cluster; None also for what Ray itself takes as none."""
    if address in (None, "", "local"):
        return None
    check_address(address)
    return address


def option_error(error: ValueError) -> PlanError:
    """Return what is wrong with an argument as what is wrong with the option that it comes from."""
    if not isinstance(error, ArgumentError):
        return PlanError.of_option("setting", str(error))
    name = error.argument.rstrip("_").replace("_per_run", "_per_trial").replace("_", "-")
    return PlanError.of_option(f"--{name}", error.problem)


def _given(text: str | Path) -> Path:
    """Return a path; an empty one is a slip, such as a variable of the shell that is not set."""
    if not str(text).strip():
        raise typer.BadParameter("must be a path, not ''")
    return Path(text)


def _shipped(kind: Kind) -> Callable[[str], list[str]]:
    """Return what completes the name of a shipped recipe in a shell."""

    def complete(incomplete: str) -> list[str]:
        from autokd.config.yaml_files import shipped

        return [name for name in shipped(kind) if name.startswith(incomplete)]

    return complete


Study = Annotated[
    str,
    typer.Option(
        envvar=STUDY_VARIABLE,
        autocompletion=_shipped("studies"),
        help="Study recipe: a shipped one (digits, digits_iid, cifar10_small, ...) or a YAML file.",
    ),
]
Home = Annotated[
    Path,
    typer.Option(
        parser=_given,
        metavar="PATH",
        envvar=HOME_VARIABLE,
        help="Folder that holds everything autokd writes.",
    ),
]
Storage = Annotated[
    str | None,
    typer.Option(
        envvar=STORAGE_VARIABLE,
        show_envvar=True,
        help="Database URL (sqlite, postgresql, mysql). By default a SQLite file in the home folder.",
    ),
]
Device = Annotated[str, typer.Option(help="Where runs compute: cpu, cuda or cuda:1.")]
Threads = Annotated[int, typer.Option(min=1, help="CPU threads of one run.")]
RayAddress = Annotated[
    str | None,
    typer.Option(
        "--ray-address",
        envvar="RAY_ADDRESS",
        show_envvar=True,
        callback=_cluster,
        help="Ray cluster to use: HOST:PORT or auto; this machine must be one of its nodes. By default none.",
        metavar="HOST:PORT",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print exactly one JSON object on standard output.")]
Debug = Annotated[
    bool, typer.Option("--debug", callback=_debug, is_eager=True, help="Show the traceback of an error.")
]


@dataclass(frozen=True, kw_only=True)
class Group:
    """Options that belong together; in the help they stand in a panel of this title."""

    PANEL: ClassVar[str]


@dataclass(frozen=True, kw_only=True)
class StudyOptions(Group):
    """Which study, and where its results are."""

    PANEL: ClassVar = "Study recipe and storage"

    study: Study = STUDY
    space: Annotated[
        str | None,
        typer.Option(
            envvar=SPACE_VARIABLE,
            autocompletion=_shipped("search_spaces"),
            help="Search space: default, private, extended, poster_sweep or a YAML file; by default the "
            "recipe's own.",
        ),
    ] = None
    home: Home = HOME
    storage: Storage = None

    def workspace(
        self, *, trials: int | None = None, try_: Sequence[str] = (), effort: str | None = None
    ) -> Workspace:
        """Read the recipes; see `Workspace.open`."""
        from autokd.workspace import Workspace

        try:
            return Workspace.open(
                self.study,
                home=self.home,
                storage=self.storage,
                space=self.space,
                trials=trials,
                try_=try_,
                effort=effort,
            )
        except ArgumentError as error:
            raise option_error(error) from None

    def repeated(self, *names: str) -> str:
        """Return the options of these names, or all, that another command needs for the same study and store.

        Defaults, values that the environment sets anyway, and an address with a password are left out.
        """
        implied = {
            "study": os.environ.get(STUDY_VARIABLE) or STUDY,
            "space": os.environ.get(SPACE_VARIABLE),
            "home": os.environ.get(HOME_VARIABLE, str(HOME)),
            "storage": os.environ.get(STORAGE_VARIABLE),
        }
        values = {name: str(getattr(self, name) or "") for name in ("study", "space", "home", "storage")}
        if self.storage and holds_secret(self.storage):
            values["storage"] = ""
        return "".join(
            f" --{name} {shell_word(value)}"
            for name, value in values.items()
            if value and value != implied.get(name) and name in (names or values)
        )


@dataclass(frozen=True, kw_only=True)
class ComputeOptions(Group):
    """How runs compute."""

    PANEL: ClassVar = "Computing"

    device: Device = "cpu"
    memory_format: Annotated[
        Literal["auto", "channels_last", "contiguous"],
        typer.Option(
            help="Layout of images in a new study: channels_last, contiguous, or auto: channels_last, which "
            "is faster, if the network has convolutions. A study keeps the layout that it began with.",
            metavar="FORMAT",
        ),
    ] = "auto"
    precision: Annotated[
        Literal["auto", "float32", "bfloat16"] | None,
        typer.Option(
            help="Number format of forward passes in a new study, by default float32; auto: bfloat16 where "
            "the hardware has it. A study keeps the precision that it began with.",
            show_default=False,
        ),
    ] = None
    channels_last: Annotated[bool, typer.Option("--channels-last", hidden=True)] = False
    threads: Threads = 1

    def compute(self) -> Compute:
        """Return how runs compute.

        Raises:
            PlanError: If two options contradict each other.
        """
        from autokd.cli.console import note
        from autokd.compute.device import Compute

        memory_format = self.memory_format
        if self.channels_last:
            if memory_format == "contiguous":
                raise PlanError.of_option("--channels-last", "contradicts --memory-format contiguous")
            memory_format = "channels_last"
            note("--channels-last is deprecated: use --memory-format channels_last")
        try:
            return Compute(
                device=self.device,
                precision=self.precision,
                memory_format=memory_format,
                threads=self.threads,
            )
        except ArgumentError as error:
            raise option_error(error) from None


@dataclass(frozen=True, kw_only=True)
class RunOptions(ComputeOptions):
    """How runs compute, and on what."""

    concurrency: Annotated[
        int | None, typer.Option(min=1, help="Runs at once; by default as many as there is room for.")
    ] = None
    cpus_per_trial: Annotated[float, typer.Option(min=0, help="CPUs that a run reserves.")] = 1.0
    gpus_per_trial: Annotated[
        float, typer.Option(min=0, help="GPUs that a run reserves, e.g. 0.25 for four runs on each.")
    ] = 0.0
    ray_address: RayAddress = None

    def keywords(self) -> dict[str, Any]:
        """Return the arguments `compute` and `workers` of a workflow.

        Raises:
            InputError: If these options contradict each other.
        """
        if self.cpus_per_trial + self.gpus_per_trial == 0:
            raise InputError(
                "--cpus-per-trial 0: a run must reserve something; give it a share of a GPU, "
                "e.g. --gpus-per-trial 0.25"
            )
        if self.ray_address is not None and self.device != "cpu" and self.gpus_per_trial == 0:
            raise InputError(
                f"--device {self.device}: on a cluster, Ray shows a run only the GPUs that it reserves; "
                "add --gpus-per-trial, e.g. 0.25"
            )
        try:
            workers = Resources(
                concurrency=self.concurrency,
                cpus_per_run=self.cpus_per_trial,
                gpus_per_run=self.gpus_per_trial,
                address=self.ray_address,
            )
        except ArgumentError as error:
            raise option_error(error) from None
        return {"compute": self.compute(), "workers": workers}


def as_command(function: Callable[..., None]) -> Callable[..., None]:
    """Return a function as Typer takes it: every group replaced by its options, and `--debug` added."""
    parameters: list[Parameter] = []
    groups: dict[str, type[Group]] = {}
    for parameter in signature(function, eval_str=True).parameters.values():
        if isinstance(parameter.annotation, type) and issubclass(parameter.annotation, Group):
            groups[parameter.name] = parameter.annotation
            parameters += _options(parameter.annotation)
        else:
            parameters.append(parameter.replace(kind=Parameter.KEYWORD_ONLY))
    parameters.append(Parameter("debug", Parameter.KEYWORD_ONLY, default=False, annotation=Debug))

    def command(**values: Any) -> None:
        del values["debug"]
        for name, value in values.items():
            if isinstance(value, float) and not math.isfinite(value):
                raise PlanError.of_option(f"--{name.replace('_', '-')}", f"must be a number, not {value}")
        for name, group in groups.items():
            values[name] = group(**{field.name: values.pop(field.name) for field in fields(group)})
        function(**values)

    command.__name__ = function.__name__
    # Typer keeps the line breaks of a paragraph, which are those of the source; examples stand one on a line.
    # Blanks before the markup would be taken away where no other paragraph stands beside the examples.
    text = re.sub(r"(?<=\S)\n(?=\S)", " ", cleandoc(function.__doc__ or ""))
    command.__doc__ = re.sub(r"^ {4}(\S.*?)(?= {3}\(|$)", r"[bold]  \1[/bold]", text, flags=re.MULTILINE)
    command.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    return command


def _options(group: type[Group]) -> Iterator[Parameter]:
    hints = get_type_hints(group, include_extras=True)
    for field in fields(group):
        kind, option = get_args(hints[field.name])
        option = copy(option)
        option.rich_help_panel = group.PANEL
        hint = Annotated[kind, option]  # type: ignore[valid-type]
        yield Parameter(field.name, Parameter.KEYWORD_ONLY, default=field.default, annotation=hint)
