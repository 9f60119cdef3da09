"""Trials for Weights & Biases: a run for each, kept in a folder unless it is asked to send them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, Literal

from autokd.core.arguments import choice, path, text
from autokd.core.records import TrialState
from autokd.workflows.loggers.base import LoggedTrial, TrialLogger

_REPORTS: Final = "WANDB_ERROR_REPORTING"


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

    def write(self, trial: LoggedTrial) -> None:
        if self._mode == "offline":
            os.environ[_REPORTS] = "false"
        import wandb

        self._folder.mkdir(parents=True, exist_ok=True)
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
