"""Trials for Weights & Biases: a run for each, kept in a folder unless it is asked to send them."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Collection, Sequence
from inspect import signature
from pathlib import Path
from typing import Any, Final, Literal

from autokd.core.arguments import choice, path, text
from autokd.core.records import TrialState
from autokd.workflows.loggers.base import LoggedTrial, TrialLogger

_REPORTS: Final = "WANDB_ERROR_REPORTING"
_LEDGER: Final = "autokd-trials.txt"
"""File of the keys of trials that were written to their end, beside the runs' folders."""
_LEAST_FREE: Final = 2**20
"""Bytes; a run takes some 20,000."""


class WandbLogger(TrialLogger):
    """Writes each trial as a run with parameters, curve, and the verdict of its pair in its summary.

    Args:
        folder: Folder for runs; `wandb sync` sends those of an offline one later.
        project: Name of the project.
        mode: `offline` sends nothing, whatever the environment says; `online` sends each run at once.
    """

    TOOL, PACKAGE, EXTRA = "Weights & Biases", "wandb", "wandb"

    def __init__(
        self, folder: str | Path, *, project: str = "autokd", mode: Literal["offline", "online"] = "offline"
    ) -> None:
        self._folder, self._project = path("folder", folder), text("project", project)
        self._mode: Literal["offline", "online"] = "offline"
        if choice("mode", mode, ["offline", "online"]) == "online":
            self._mode = "online"
        super().__init__()

    def written(self, trials: Sequence[LoggedTrial]) -> Collection[str]:
        try:
            return set((self._runs / _LEDGER).read_text().split())
        except FileNotFoundError:
            return ()

    def write(self, trial: LoggedTrial) -> None:
        if self._mode == "offline":
            os.environ[_REPORTS] = "false"
        self._check_folder()
        import wandb

        if self._mode == "offline":
            for begun in self._runs.glob(f"offline-run-*-{trial.key}"):
                shutil.rmtree(begun)
        else:
            self._check_key(wandb)
        settings = wandb.Settings(
            console="off",
            silent=True,
            save_code=False,
            disable_git=True,
            disable_job_creation=True,
            x_disable_meta=True,
            x_disable_stats=True,
        )
        run = wandb.init(
            project=self._project,
            # By it, a server replaces what it was sent of the trial before.
            id=trial.key,
            name=trial.name,
            group=trial.study[-128:],
            config={**trial.parameters, "pair": trial.pair, "trial": trial.number},
            dir=str(self._folder),
            mode=self._mode,
            reinit="create_new",
            settings=settings,
        )
        for epoch, figures in trial.curve:
            run.log(dict(figures), step=epoch)
        run.summary.update({**trial.tags, **trial.figures})
        run.finish(exit_code=1 if trial.state is TrialState.FAIL else 0)
        with (self._runs / _LEDGER).open("a") as ledger:
            ledger.write(f"{trial.key}\n")

    def _check_key(self, wandb: Any) -> None:
        """Raise where W&B would ask for a key in the terminal, amid the progress, and wait for the answer."""
        # NOTE: earlier releases of W&B have no such argument.
        if "prompt" in signature(wandb.login).parameters and not wandb.login(verify=False, prompt=False):
            raise PermissionError("no API key is configured; run wandb login, or set WANDB_API_KEY")

    @property
    def _runs(self) -> Path:
        """The folder that W&B makes in the folder it is told."""
        return self._folder / "wandb"

    def _check_folder(self) -> None:
        """Raise what W&B would not: it takes another folder, or leaves out what has no room."""
        self._folder.mkdir(parents=True, exist_ok=True)
        if not os.access(self._folder, os.R_OK | os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self._folder))
        if shutil.disk_usage(self._folder).free < _LEAST_FREE:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._folder))
