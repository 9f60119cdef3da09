"""Options that several commands share, each written once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from autokd.cli.secrets import holds_secret
from autokd.compute.ray_cluster import check_address
from autokd.config.defaults import HOME, HOME_VARIABLE, STORAGE_VARIABLE, STUDY
from autokd.errors import InputError

if TYPE_CHECKING:
    from autokd.compute.device import Compute
    from autokd.compute.resources import Resources

_DEBUG: Final = "AUTOKD_DEBUG"


def debugging() -> bool:
    """Whether errors are to be shown with their traceback."""
    return bool(os.environ.get(_DEBUG))


def _debug(wanted: bool) -> None:
    if wanted:
        os.environ[_DEBUG] = "1"


def _cluster(address: str | None) -> str | None:
    """The cluster that is meant; none is what Ray itself takes nothing and `local` for."""
    if address in (None, "", "local"):
        return None
    check_address(address)
    return address


class Precision(StrEnum):
    """Of forward passes."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"


Study = Annotated[
    str,
    typer.Option(
        help="What to tune: a shipped study (digits, digits_iid, cifar10_small, ...), or a YAML file."
    ),
]
PairText = Annotated[str, typer.Option("--pair", help="Teacher and student, e.g. 4,9.", metavar="T,S")]
SpaceName = Annotated[
    str | None,
    typer.Option(
        "--space",
        help="Where to search: default, private, poster_sweep, or a YAML file. By default the study's own.",
    ),
]
Home = Annotated[
    Path, typer.Option(envvar=HOME_VARIABLE, help="The folder that holds everything autokd writes.")
]
Storage = Annotated[
    str | None,
    typer.Option(
        envvar=STORAGE_VARIABLE,
        show_envvar=True,
        help="Database URL (sqlite, postgresql, mysql). By default a SQLite file in the home folder.",
        show_default=False,
    ),
]
OnePair = Annotated[
    str | None,
    typer.Option("--pair", help="Teacher and student, e.g. 4,9.", metavar="T,S", show_default=False),
]
SomePairs = Annotated[
    str | None,
    typer.Option("--pairs", help="Several: --pairs 4,9 9,4 1,2", metavar="T,S...", show_default=False),
]
MorePairs = Annotated[list[str] | None, typer.Argument(metavar="T,S", hidden=True)]
AllPairs = Annotated[bool, typer.Option("--all", help="All pairs of the federation.")]
Teacher = Annotated[
    int | None, typer.Option("--teacher", help="All pairs in which this participant teaches.", metavar="T")
]
Student = Annotated[
    int | None, typer.Option("--student", help="All pairs in which this participant learns.", metavar="S")
]
Concurrency = Annotated[
    int | None, typer.Option(min=1, help="Runs at once; by default as many as there is room for.")
]
CpusPerTrial = Annotated[float, typer.Option(min=0, help="CPUs that a run reserves.")]
GpusPerTrial = Annotated[
    float, typer.Option(min=0, help="GPUs that a run reserves, e.g. 0.25 for four runs on each.")
]
Json = Annotated[bool, typer.Option("--json", help="Print exactly one JSON object on standard output.")]
Debug = Annotated[
    bool, typer.Option("--debug", callback=_debug, is_eager=True, help="Show the traceback of an error.")
]
Device = Annotated[str, typer.Option(help="Where runs compute: cpu, cuda or cuda:1.")]
PrecisionName = Annotated[
    Precision, typer.Option("--precision", help="Of forward passes; bfloat16 is faster on recent GPUs.")
]
ChannelsLast = Annotated[
    bool, typer.Option("--channels-last", help="NHWC memory layout; faster convolutions on GPUs.")
]
RayAddress = Annotated[
    str | None,
    typer.Option(
        "--ray-address",
        envvar="RAY_ADDRESS",
        show_envvar=True,
        callback=_cluster,
        help="Of a Ray cluster that this machine is a node of: HOST:PORT, or auto. By default none is used.",
        metavar="HOST:PORT",
        show_default=False,
    ),
]
Threads = Annotated[int, typer.Option(min=1, help="CPU threads of one run.")]

DEFAULT_HOME: Final = HOME
DEFAULT_STUDY: Final = STUDY
SWEPT_SPACE: Final = "poster_sweep"


def workers(
    *, concurrency: int | None, cpus: float, gpus: float, address: str | None, device: str
) -> Resources:
    """On what runs are to be done.

    Raises:
        InputError: If these options contradict each other.
    """
    from autokd.compute.resources import Resources

    if cpus + gpus == 0:
        raise InputError(
            "--cpus-per-trial 0: a run must reserve something; give it a share of a GPU, "
            "e.g. --gpus-per-trial 0.25"
        )
    if address is not None and device != "cpu" and gpus == 0:
        raise InputError(
            f"--device {device}: on a cluster, Ray shows a run only the GPUs that it reserves; "
            "add --gpus-per-trial, e.g. 0.25"
        )
    return Resources(concurrency=concurrency, cpus_per_run=cpus, gpus_per_run=gpus, address=address)


def compute(*, device: str, precision: Precision, channels_last: bool, threads: int) -> Compute:
    """How runs are to compute."""
    from autokd.compute.device import Compute

    return Compute(device=device, precision=precision.value, channels_last=channels_last, threads=threads)


def repeated(*, study: str, space: str | None, home: Path, storage: str | None) -> Mapping[str, str]:
    """The options to type again so that another command means the same study in the same store.

    What is the default or stands in the environment is left out, and so is an address with a password.
    """
    given = {"study": study, "space": space or "", "home": str(home), "storage": storage or ""}
    implied = {
        "study": DEFAULT_STUDY,
        "home": os.environ.get(HOME_VARIABLE, str(DEFAULT_HOME)),
        "storage": os.environ.get(STORAGE_VARIABLE),
    }
    told = {name: text for name, text in given.items() if text and text != implied.get(name)}
    if storage and holds_secret(storage):
        told.pop("storage", None)
    return told
