"""Trials for TensorBoard: one folder of events for each, below the name of its study."""

from __future__ import annotations

from pathlib import Path

from autokd.core.arguments import path
from autokd.workflows.loggers.base import LoggedTrial, TrialLogger


class TensorBoardLogger(TrialLogger):
    """Writes each trial's curve, its parameters (the tab HPARAMS) and the verdict of its pair.

    Args:
        folder: Folder of events, for `tensorboard --logdir`; made when the first trial is written.
    """

    TOOL, PACKAGE, EXTRA = "TensorBoard", "tensorboard", "tensorboard"

    def __init__(self, folder: str | Path) -> None:
        self._folder = path("folder", folder)
        super().__init__()

    def write(self, trial: LoggedTrial) -> None:
        from torch.utils.tensorboard import SummaryWriter

        # An arrow in a path would have to be quoted in a shell.
        place = self._folder / trial.study.replace("->", "-to-") / f"trial-{trial.number:03}"
        with SummaryWriter(str(place)) as writer:
            for epoch, figures in trial.curve:
                for name, value in figures.items():
                    writer.add_scalar(name, value, epoch)
            writer.add_text("pair", f"{trial.name}: " + ", ".join(f"{k} {v}" for k, v in trial.tags.items()))
            parameters = {**trial.parameters, **trial.tags}
            # With a name of its own, the table would be of runs beside the curves.
            writer.add_hparams(parameters, dict(trial.figures), run_name=".")
