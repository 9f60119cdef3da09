"""Meetings of two participants whose stored runs lead to a verdict that is asked for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from autokd.core.pair_records import PairRecords
from autokd.core.records import Correctness, Failure, FederationFacts
from autokd.core.setting import DEFAULT, Pair, Setting, Split
from autokd.recommendation import Recommendation, Verdict
from tests.recommendation.samples import (
    HOT,
    confirmation_runs,
    failed_run,
    make_federation,
    make_plan,
    make_trials,
    recommend_from,
)
from tests.statistics.simulated import DIGITS, draw_arms

PAIR = Pair(teacher=0, student=1)
PLAN = make_plan()
EXAMPLES = {Split.VALIDATION: 200, Split.CONFIRMATION: 350, Split.TEST: 250}
TOWARDS = {
    Verdict.TUNED: (0.85, 0.70),
    Verdict.DEFAULT: (0.78, 0.78),
    Verdict.SKIP: (0.45, 0.40),
    Verdict.UNDECIDED: (0.62, 0.60),
}


@dataclass
class Meeting:
    """Two participants and what the store has of both their pairs."""

    federation: FederationFacts
    towards: PairRecords
    back: PairRecords


def make_meeting(
    *,
    models: tuple[float, float] = (0.5, 0.6),
    towards: tuple[float, float] = (0.85, 0.7),
    back: tuple[float, float] = (0.55, 0.5),
    candidate: Setting = HOT,
) -> Meeting:
    """Accuracies of the models, and of (winner, default) of `0->1` and of `1->0`."""
    rng = np.random.default_rng(0)
    own: list[dict[Split, Correctness]] = [{}, {}]
    runs: list[dict[Split, list[Correctness]]] = [{}, {}]
    for split, examples in EXAMPLES.items():
        arms = draw_arms(rng, (*towards, *back, *models), DIGITS, examples=examples)
        runs[0][split], runs[1][split] = arms[:2], arms[2:4]
        own[0][split], own[1][split] = arms[4][0], arms[5][0]
    searched = [
        PairRecords(
            pair=pair,
            study=f"digits-1a2b3c4d/digits-0/{pair}",
            trials=make_trials(candidate),
            runs=[
                run
                for arm, setting in enumerate((candidate, DEFAULT))
                for run in confirmation_runs(
                    setting,
                    {split: arms[arm] for split, arms in both.items() if split is not Split.VALIDATION},
                )
            ],
        )
        for pair, both in zip((PAIR, PAIR.reverse), runs, strict=True)
    ]
    return Meeting(make_federation(own), *searched)


def recommended(meeting: Meeting) -> Recommendation:
    return recommend_from(PLAN, meeting.federation, meeting.towards, reverse=meeting.back)


def verdict(wanted: Verdict) -> Recommendation:
    """Return a recommendation with this verdict."""
    if wanted is Verdict.FAILED:
        meeting = make_meeting()
        lost = [
            failed_run(run.setting, index % 5, Failure.INFRASTRUCTURE)
            for _ in range(PLAN.search.retries + 1)
            for index, run in enumerate(meeting.towards.runs)
        ]
        towards = PairRecords(
            pair=PAIR, study=meeting.towards.study, trials=meeting.towards.trials, runs=lost
        )
        found = recommend_from(PLAN, meeting.federation, towards)
    else:
        found = recommended(make_meeting(towards=TOWARDS[wanted]))
    assert found.verdict is wanted
    return found
