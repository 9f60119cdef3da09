"""Early stopping by ASHA, as a function of the stored trials: resuming makes the same decisions."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from autokd.config.search import StoppingConfig, rungs_of
from autokd.config.training import DistillationConfig
from autokd.core.records import TrialOrigin, TrialRecord, TrialState
from autokd.core.setting import Schedule


def should_continue(
    stopping: StoppingConfig, recipe: DistillationConfig, trial: TrialRecord, others: Iterable[TrialRecord]
) -> bool:
    """Return whether a trial that has just reported may continue to the next rung.

    This is the stopping variant of asynchronous successive halving: at each rung a trial continues if it is
    among the best 1/`reduction` of all that have reported there so far, itself included. Source: Li et al.
    2020, arXiv:1810.05934, section 3; compared on validation accuracy. Trials of different budgets compete
    where their learning rates have been alike up to there (see `compete`).

    Args:
        recipe: What a setting leaves open.
        trial: The trial, with its last report.
        others: The other trials of the same study; accuracies of different pairs do not compare. Failed
            trials do not count, or a retry would compete with its first try.
    """
    epoch, accuracy = trial.epochs, trial.accuracy
    rungs = rungs_of((*stopping.rungs, recipe.epochs), trial.setting.epochs or recipe.epochs)
    if is_exempt(stopping, trial) or accuracy is None or epoch not in rungs[:-1]:
        return True
    reported = [accuracy]
    for other in others:
        if other.state is not TrialState.FAIL and compete(recipe, trial, other):
            reported += [value for reached, value in other.curve if reached == epoch]
    cutoff = float(np.quantile(reported, 1 - 1 / stopping.reduction))
    return accuracy >= cutoff


def compete(recipe: DistillationConfig, first: TrialRecord, other: TrialRecord) -> bool:
    """Return whether two trials can be compared at one epoch of both.

    With a constant rate, a long run begins as a short one does, so the budget makes no difference. With a
    cosine, a run gains most where its rate has fallen: at one epoch, the shorter of two is nearer to its end
    and would win for that alone. At one share of their budgets the longer one has trained more. So such
    trials compete with those of their own budget, and neither with trials of a constant rate.
    """
    schedules = [trial.setting.schedule or Schedule(recipe.schedule) for trial in (first, other)]
    if schedules[0] is not schedules[1]:
        return False
    budgets = {trial.setting.epochs or recipe.epochs for trial in (first, other)}
    return schedules[0] is Schedule.CONSTANT or len(budgets) == 1


def is_exempt(stopping: StoppingConfig, trial: TrialRecord) -> bool:
    """Return whether a trial is never stopped early."""
    return trial.role in (TrialOrigin.BASELINE, TrialOrigin.ASKED) or trial.number < stopping.grace
