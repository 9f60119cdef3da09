"""Early stopping by ASHA, as a function of the stored trials: resuming makes the same decisions."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from autokd.config.study import StoppingConfig
from autokd.core.records import TrialOrigin, TrialRecord, TrialState


def should_continue(stopping: StoppingConfig, trial: TrialRecord, others: Iterable[TrialRecord]) -> bool:
    """Return whether a trial that has just reported may continue to the next rung.

    This is the stopping variant of asynchronous successive halving: at each rung a trial continues if it is
    among the best 1/`reduction` of all that have reported there so far, itself included. Source: Li et al.
    2020, arXiv:1810.05934, section 3; compared on validation accuracy.

    Args:
        trial: The trial, with its last report.
        others: The other trials of the same study; accuracies of different pairs do not compare. Failed
            trials do not count, or a retry would compete with its first try.
    """
    epoch, accuracy = trial.epochs, trial.accuracy
    if is_exempt(stopping, trial) or accuracy is None or epoch not in stopping.rungs:
        return True
    reported = [accuracy]
    for other in others:
        if other.state is not TrialState.FAIL:
            reported += [value for reached, value in other.curve if reached == epoch]
    cutoff = float(np.quantile(reported, 1 - 1 / stopping.reduction))
    return accuracy >= cutoff


def is_exempt(stopping: StoppingConfig, trial: TrialRecord) -> bool:
    """Return whether a trial is never stopped early."""
    return trial.role in (TrialOrigin.BASELINE, TrialOrigin.ASKED) or trial.number < stopping.grace
