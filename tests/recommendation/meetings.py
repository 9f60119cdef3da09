"""Meetings of two participants whose stored runs lead to a verdict that is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from autokd.core.pair_records import PairRecords
from autokd.core.records import Correctness, Failure, FederationFacts
from autokd.core.setting import DEFAULT, Pair, Setting, Split
from autokd.core.verdict_basis import DEFAULT_BUDGET, NO_TEACHER, VerdictBasis, no_teacher
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


RIVALS: Mapping[str, Setting] = {
    DEFAULT_BUDGET: replace(DEFAULT, epochs=40),
    NO_TEACHER: Setting(1.0, 0.0, HOT.transfer_set, epochs=20),
}


def by_rule_3(
    arms: Mapping[str, float],
    *,
    own: tuple[float, float] = (0.6, 0.62),
    partner: tuple[float, float] = (0.5, 0.5),
    best: Setting = HOT,
    seeds: int = 5,
    seed: int = 0,
) -> tuple[FederationFacts, PairRecords]:
    """A pair of rule 3 with its confirmation runs.

    Args:
        arms: Accuracy of each arm; rivals that are left out were not chosen.
        own: Accuracies of the own model as it is and without its label prior; so is `partner`.
    """
    rng = np.random.default_rng(seed)
    settings = {"winner": best, "default": DEFAULT, **RIVALS}
    drawn = {
        split: draw_arms(rng, (*arms.values(), *own, *partner), DIGITS, seeds=seeds, examples=examples)
        for split, examples in EXAMPLES.items()
    }
    runs = [
        run
        for place, name in enumerate(arms)
        for run in confirmation_runs(
            settings[name],
            {split: correct[place] for split, correct in drawn.items() if split is not Split.VALIDATION},
        )
    ]
    fixed = [{split: correct[len(arms) + place][0] for split, correct in drawn.items()} for place in range(4)]
    names = {DEFAULT_BUDGET: DEFAULT_BUDGET, NO_TEACHER: no_teacher(best.transfer_set)}
    basis = VerdictBasis(
        trials=2,
        search=PLAN.search.bounds,
        ended="search ended after 2 settings: its 2 trials are used up",
        winner=best,
        looks=(seeds,),
        confidence=0.955,
        seed_share=1.0,
        rivals={names[name]: RIVALS[name] for name in arms if name in RIVALS},
    )
    study = f"digits-1a2b3c4d/digits-0/{PAIR}"
    trials = make_trials(best)
    records = PairRecords(pair=PAIR, study=study, rule=3, bases=(basis,), trials=trials, runs=runs)
    return make_federation([fixed[2], fixed[0]], [fixed[3], fixed[1]]), records


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
        recommendation = recommend_from(PLAN, meeting.federation, towards)
    else:
        recommendation = recommended(make_meeting(towards=TOWARDS[wanted]))
    assert recommendation.verdict is wanted
    return recommendation
