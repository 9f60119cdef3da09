"""A judged pair whose runs have accuracies that are asked for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from autokd.core.pair_records import PairRecords
from autokd.core.records import Correctness, RunRecord
from autokd.core.setting import DEFAULT, Pair, Setting, Split
from autokd.recommendation import Recommendation
from tests.recommendation.samples import (
    confirmation_runs,
    make_federation,
    make_plan,
    make_trials,
    recommend_from,
)

PAIR = Pair(0, 1)
JUDGED = (Split.CONFIRMATION, Split.TEST)
OWN, PARTNER, DEFAULT_S, WINNER_S = 0.5, 0.4, 0.55, 0.8
EXAMPLES = 200


def right(share: float, *shape: int) -> Correctness:
    """Right on the first examples, so that who is right on more is right on all that others are right on."""
    return np.broadcast_to(np.arange(EXAMPLES) < round(share * EXAMPLES), (*shape, EXAMPLES)).copy()


def model(share: float) -> dict[Split, Correctness]:
    return {split: right(share) for split in Split}


def arm(setting: Setting, share: float, seeds: int = 5) -> list[RunRecord]:
    return confirmation_runs(setting, {split: right(share, seeds) for split in JUDGED})


def judged(
    winner: Setting,
    *,
    pair: Pair = PAIR,
    default: float = DEFAULT_S,
    share: float = WINNER_S,
    initial: float | None = None,
) -> Recommendation:
    """The recommendation of a pair; `initial` is the share that an untrained student gets right."""
    federation = make_federation([model(PARTNER), model(OWN)])
    if initial is not None:
        teacher, student = federation.participants
        student = replace(student, initial={split: right(initial, 5) for split in Split})
        federation = replace(federation, participants=(teacher, student))
    return recommend_from(
        make_plan(candidates=1),
        federation,
        PairRecords(
            pair=pair,
            study=f"digits-1a2b3c4d/digits-0/{pair}",
            trials=make_trials(winner),
            runs=[*arm(DEFAULT, default), *arm(winner, share)],
        ),
    )
