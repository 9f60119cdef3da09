"""The best single setting over other pairs: what an owner would use for a pair without a search."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from autokd.core.pair_records import PairRecords
from autokd.core.records import FederationFacts, RunState, TrialState
from autokd.core.setting import Setting, Split, TransferSet, plain
from autokd.statistics.paired import POINTS


@dataclass(frozen=True, slots=True)
class BestAverageSetting:
    """The best setting over other pairs.

    Attributes:
        gain: Mean gain on validation, in pp.
        pairs: Number of pairs on which the setting ran.
        known: Number of pairs that have any run.
    """

    setting: Setting
    gain: float
    pairs: int
    known: int


def best_elsewhere(
    others: Sequence[PairRecords], federation: FederationFacts, *, transfer_sets: Collection[TransferSet]
) -> BestAverageSetting | None:
    """Return the setting with the highest mean gain on validation over those of `others` on which it ran.

    Only a setting that ran on at least half of the pairs competes: one that was tried on two of them may have
    been lucky in which two. A run that was stopped early counts with its last figure, since to leave it out
    would praise a setting for the pairs that it suits. Runs of a sweep, which are never stopped, take
    precedence over a trial of the same setting. Each gain is on the target of the pair's student.
    """
    gains: defaultdict[Setting, list[float]] = defaultdict(list)
    known = 0
    for records in others:
        before = federation.participants[records.pair.student].accuracy(Split.VALIDATION)
        accuracies = _accuracies(records)
        known += bool(accuracies)
        for setting, accuracy in accuracies.items():
            if setting.transfer_set in transfer_sets:
                gains[setting].append(POINTS * (accuracy - before))
    competing = [
        BestAverageSetting(setting, math.fsum(values) / len(values), len(values), known)
        for setting, values in gains.items()
        if 2 * len(values) >= known
    ]
    # Ties go to the setting that ran on more pairs; the last key makes the choice reproducible.
    return max(competing, key=lambda best: (best.gain, best.pairs, str(best.setting)), default=None)


def _accuracies(records: PairRecords) -> dict[Setting, float]:
    """Return accuracy on validation by setting; without a teacher (α = 0) the temperature does not count."""
    searched = {
        plain(trial.setting): trial.accuracy
        for trial in records.trials
        if trial.state in (TrialState.COMPLETE, TrialState.PRUNED) and trial.accuracy is not None
    }
    swept: defaultdict[Setting, list[float]] = defaultdict(list)
    for run in records.sweep_runs:
        if run.state is RunState.COMPLETE:
            swept[plain(run.setting)].append(run.accuracy(Split.VALIDATION, records.weights))
    return searched | {setting: math.fsum(values) / len(values) for setting, values in swept.items()}
