"""Trials of a small study, and a recommendation made of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from autokd.core.pair_records import PairRecords
from autokd.core.records import Correctness, Failure, TrialOrigin, TrialRecord, TrialState
from autokd.core.setting import DEFAULT, Pair, Setting, Split, TransferSet
from autokd.recommendation import Recommendation
from tests.recommendation.samples import confirmation_runs, make_federation, make_plan, recommend_from

PAIR = Pair(teacher=0, student=1)
HOT = Setting(temperature=4.0, alpha=0.1, transfer_set=TransferSet.BOTH)
WARM = Setting(temperature=2.0, alpha=0.75, transfer_set=TransferSet.BOTH)
PUBLIC = Setting(temperature=8.0, alpha=None, transfer_set=TransferSet.PUBLIC)


def trial(
    number: int,
    setting: Setting,
    state: TrialState,
    *curve: tuple[int, float],
    reason: str = "",
) -> TrialRecord:
    return TrialRecord(
        number=number,
        setting=setting,
        seed=0,
        role=TrialOrigin.BASELINE if number == 0 else TrialOrigin.SEARCH,
        state=state,
        curve=curve,
        failure=Failure.DIVERGED if state is TrialState.FAIL else None,
        reason=reason,
    )


BASELINE = trial(0, DEFAULT, TrialState.COMPLETE, (3, 0.5), (10, 0.55))
WON = trial(1, HOT, TrialState.COMPLETE, (3, 0.6), (10, 0.7))
STOPPED = trial(2, PUBLIC, TrialState.PRUNED, (3, 0.2))
DIED = trial(3, WARM, TrialState.FAIL, reason="loss became nan at step 3")
RUNNING = trial(4, WARM, TrialState.RUNNING, (3, 0.9))
TRIALS = (BASELINE, WON, STOPPED, DIED, RUNNING)


def right(accuracy: float, examples: int, *shape: int) -> Correctness:
    """Right on the first examples and wrong on the rest, for every seed alike."""
    return np.broadcast_to(np.arange(examples) < round(accuracy * examples), (*shape, examples)).copy()


def model(accuracy: float) -> dict[Split, Correctness]:
    return {split: right(accuracy, 100) for split in Split}


def make_recommendation(
    trials: Sequence[TrialRecord] = TRIALS, *, name: str = "digits-1a2b3c4d"
) -> Recommendation:
    """Participant 1 is right on 60 % as it is, on 65 % by the default, on 80 % by the winner if one ran."""
    judged = (Split.CONFIRMATION, Split.TEST)
    accuracies = {DEFAULT: 0.65, HOT: 0.8}
    return recommend_from(
        make_plan(race_seeds=1, candidates=1),
        replace(make_federation([model(0.5), model(0.6)]), name=name),
        PairRecords(
            pair=PAIR,
            study=f"{name}/digits-0/{PAIR}",
            trials=trials,
            runs=[
                run
                for setting, accuracy in accuracies.items()
                for run in confirmation_runs(setting, {split: right(accuracy, 100, 5) for split in judged})
            ],
        ),
    )
