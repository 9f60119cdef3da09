"""What a trial shows where epochs are searched: its setting with the epochs that it has run."""

from __future__ import annotations

from dataclasses import replace

from autokd.config.training import DistillationConfig
from autokd.core.records import TrialRecord
from autokd.core.setting import Setting


def shown(trial: TrialRecord, recipe: DistillationConfig) -> Setting:
    """Return the setting whose gain an ended trial shows, written as the trial writes it or a space would.

    At a constant learning rate, a run that was stopped is the run of a smaller budget. With another schedule
    its rate was higher than that run's in the end: an approximation, which measured better than to learn
    nothing, or what it had reached as if that were its end (docs/results/search-cost.md).
    """
    setting, epochs = trial.setting, trial.epochs
    if not epochs or epochs == (setting.epochs or recipe.epochs):
        return setting
    return replace(setting, epochs=None if epochs == recipe.epochs else epochs)
