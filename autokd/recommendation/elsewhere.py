"""The best single setting over other pairs: what one would take for a pair without searching for it."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from autokd.core.records import RunRecord, RunState, TrialRecord, TrialState
from autokd.core.setting import Setting, Split, TransferSet
from autokd.core.setting_variants import plain
from autokd.recommendation.statistics import POINTS


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OtherPair:
    """What the store has of a pair that shares no participant with the one in question.

    Attributes:
        own: Accuracy on validation of its student as it is, in [0, 1].
        trials: Of its search.
        swept: Of its sweep.
    """

    own: float
    trials: Sequence[TrialRecord] = ()
    swept: Sequence[RunRecord] = ()


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """The setting, and what speaks for it.

    Attributes:
        gain: Its mean gain on validation, in pp.
        pairs: On how many pairs it ran.
        known: Of how many that have any run.
    """

    setting: Setting
    gain: float
    pairs: int
    known: int


def best_elsewhere(
    others: Sequence[OtherPair], *, transfer_sets: Collection[TransferSet]
) -> Elsewhere | None:
    """The setting with the highest mean gain on validation over the pairs on which it ran.

    Only a setting that ran on at least half of the pairs competes: one that was tried on two of them may have
    been lucky in which two. A run that was stopped early counts with its last figure, since to leave it out
    would praise a setting for the pairs that it suits. Swept runs, which are never stopped, take precedence
    over a trial of the same setting.

    Args:
        others: All pairs without either participant.
        transfer_sets: Which may be used.
    """
    gains: defaultdict[Setting, list[float]] = defaultdict(list)
    known = 0
    for other in others:
        reached = _reached(other)
        known += bool(reached)
        for setting, accuracy in reached.items():
            if setting.transfer_set in transfer_sets:
                gains[setting].append(POINTS * (accuracy - other.own))
    found = [
        Elsewhere(setting, math.fsum(its) / len(its), len(its), known)
        for setting, its in gains.items()
        if 2 * len(its) >= known
    ]
    # Of two that are equally good, the one that is known from more pairs, and then any, but always the same.
    return max(found, key=lambda one: (one.gain, one.pairs, str(one.setting)), default=None)


def _reached(other: OtherPair) -> dict[Setting, float]:
    """Accuracy on validation by setting; without a teacher (α = 0) whatever the temperature was."""
    reached = {
        plain(trial.setting): trial.accuracy
        for trial in other.trials
        if trial.state in (TrialState.COMPLETE, TrialState.PRUNED) and trial.accuracy is not None
    }
    swept: defaultdict[Setting, list[float]] = defaultdict(list)
    for run in other.swept:
        if run.state is RunState.COMPLETE:
            swept[plain(run.setting)].append(run.accuracy(Split.VALIDATION))
    return reached | {setting: math.fsum(its) / len(its) for setting, its in swept.items()}
