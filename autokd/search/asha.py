"""ASHA as a function of what the store has: no object holds a rung, so a resume decides as before."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from autokd.config.study import StoppingConfig
from autokd.core.records import TrialOrigin, TrialRecord, TrialState


def should_continue(stopping: StoppingConfig, trial: TrialRecord, others: Iterable[TrialRecord]) -> bool:
    """Whether a trial that has just reported may go on to the next rung.

    The stopping variant of asynchronous successive halving: at each rung a trial goes on if it is among the
    best 1/`reduction` of all that have reported there so far, itself included.
    Source: Li et al. 2020, arXiv:1810.05934, section 3; compared on validation accuracy.

    Args:
        stopping: Rungs and reduction factor of the study.
        trial: With its last report in place.
        others: The other trials of the same study; other studies must not be mixed in, since accuracies of
            different pairs do not compare. Failed ones do not count: a retry would meet its former self.
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
    """Whether a trial runs to its end whatever it reports."""
    return trial.role is TrialOrigin.BASELINE or trial.number < stopping.grace
