"""`--log`: which tools are told of the trials, and where they keep them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from autokd.errors import PlanError
from autokd.text.quoting import did_you_mean, quoted

if TYPE_CHECKING:
    from autokd.workflows.callbacks import Callbacks

LogOption = Annotated[
    list[str] | None,
    typer.Option(
        "--log",
        help="Also write a run per trial, once its pair is judged, into tensorboard, mlflow or wandb; may be "
        "repeated. All of it stays in --home, unless WHERE is another folder, the address of an MLflow "
        "server, or for wandb the word online.",
        metavar="TOOL[=WHERE]",
        show_default=False,
    ),
]
_TOOLS: Final = ("tensorboard", "mlflow", "wandb")
_ONLINE: Final = "online"


def loggers_of(asked: Sequence[str], home: Path) -> list[Callbacks]:
    """Return the loggers that `--log` names.

    Raises:
        InputError: If there is no such tool, or it is not installed.
    """
    return [_logger(text, home) for text in asked]


def _logger(text: str, home: Path) -> Callbacks:
    tool, equals, where = text.partition("=")
    if tool not in _TOOLS:
        # Anything but a word may be an address with a password.
        said = quoted(tool) if tool.isalnum() or not tool else "what is there"
        problem = f"must begin with tensorboard, mlflow or wandb, not {said}{did_you_mean(tool, _TOOLS)}"
        raise PlanError.of_option("--log", problem)
    if tool == "mlflow" and "@" in where.partition("://")[2].partition("/")[0]:
        problem = "takes no password, which other users would see; use MLFLOW_TRACKING_USERNAME and _PASSWORD"
        raise PlanError.of_option("--log", problem)
    if equals and not where:
        raise PlanError.of_option("--log", f"{tool}= names no place; leave the = out to keep runs in --home")
    if tool == "mlflow":
        # Only here: importing the store takes a second, which most commands need not wait for.
        from autokd.store import sqlite_url
        from autokd.workflows.loggers.mlflow import MlflowLogger

        usual = os.environ.get("MLFLOW_TRACKING_URI") or sqlite_url(home / "mlflow.db")
        return MlflowLogger(where or usual)
    if tool == "wandb":
        from autokd.workflows.loggers.wandb import WandbLogger

        online = where == _ONLINE
        folder = home if online or not where else Path(where)
        return WandbLogger(folder, mode="online" if online else "offline")
    from autokd.workflows.loggers.tensorboard import TensorBoardLogger

    return TensorBoardLogger(Path(where) if where else home / "tensorboard")
