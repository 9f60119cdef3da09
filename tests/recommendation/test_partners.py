from __future__ import annotations

import json

import numpy as np
import pytest

from autokd.core.pair_records import PairRecords
from autokd.core.records import Correctness
from autokd.core.setting import DEFAULT, Pair, Split
from autokd.recommendation import Verdict
from autokd.recommendation.partners import Ranking, ranked, shrunk
from tests.recommendation.samples import (
    HOT,
    confirmation_runs,
    make_federation,
    make_plan,
    make_trials,
    recommend_from,
)
from tests.statistics.simulated import DIGITS, draw_arms

PLAN = make_plan(resamples=200)
SIZES = {Split.VALIDATION: 20, Split.CONFIRMATION: 350, Split.TEST: 250}


def ranking(rng: np.random.Generator, accuracies: list[float], *, default: float, own: float) -> Ranking:
    """The partners 1, 2, ... of participant 0, by the accuracy that their settings lead to."""
    count = len(accuracies)
    arms = {
        split: draw_arms(rng, (*accuracies, *[default] * count), DIGITS, fixed=own, examples=size)
        for split, size in SIZES.items()
    }
    federation = make_federation([{split: correct[-1] for split, correct in arms.items()}] * (count + 1))
    recommendations = []
    for partner in range(count):
        runs = [
            run
            for place, setting in ((partner, HOT), (count + partner, DEFAULT))
            for run in confirmation_runs(
                setting, {split: arms[split][place] for split in (Split.CONFIRMATION, Split.TEST)}
            )
        ]
        pair = Pair(partner + 1, 0)
        recommendations.append(
            recommend_from(
                PLAN, federation, PairRecords(pair=pair, study=str(pair), trials=make_trials(HOT), runs=runs)
            )
        )
    return ranked(recommendations, student=0, unknown=[9])


def test_the_best_partner_comes_first_and_is_advised() -> None:
    ranked = ranking(np.random.default_rng(0), [0.62, 0.85, 0.70, 0.45], default=0.6, own=0.6)
    assert [partner.teacher for partner in ranked.partners][:2] == [2, 3]
    assert ranked.best is ranked.partners[0]
    assert [partner.as_good for partner in ranked.partners] == [True, False, False, False]
    assert ranked.advice == "learn from 2, with T=4 α=0.1 on both"
    plain = json.loads(json.dumps(ranked.to_json()))
    assert (plain["best"], plain["corrected_for"], plain["unknown"]) == (2, 4, [9])
    assert plain["partners"][0]["decided_on"]["low"] > 0


def test_intervals_are_wider_the_more_partners_there_are() -> None:
    ranked = ranking(np.random.default_rng(1), [0.8, 0.7, 0.7, 0.7, 0.7], default=0.6, own=0.6)
    first = ranked.partners[0]
    assert first.recommendation.gain is not None
    assert first.test.mean == pytest.approx(first.recommendation.gain.mean)
    assert first.test.high - first.test.low > 1.2 * (
        first.recommendation.gain.high - first.recommendation.gain.low
    )


def test_where_nothing_gains_nobody_is_advised() -> None:
    ranks = ranking(np.random.default_rng(2), [0.5, 0.45], default=0.5, own=0.6)
    assert {partner.recommendation.verdict for partner in ranks.partners} == {Verdict.SKIP}
    assert ranks.best is None
    assert "corrected for choosing the best of 2" in ranks.advice
    nobody = ranked([], student=0, unknown=[1, 2])
    assert (nobody.best, nobody.partners, nobody.unknown) == (None, (), (1, 2))


def best_of_nine(rng: np.random.Generator) -> tuple[list[Correctness], Correctness]:
    """Nine partners that are all worth 4 pp."""
    *arms, own = draw_arms(rng, (0.64,) * 9, DIGITS, fixed=0.60)
    return arms, own


def test_the_chosen_one_of_nine_equals_is_not_flattered() -> None:
    """Uncorrected, the best of nine equals looks almost 3 pp better than it is; corrected, a third of a pp.

    Standard error of 150 simulations: 0.2 pp.
    """
    rng = np.random.default_rng(3)
    naive, corrected = [], []
    for _ in range(150):
        arms, own = best_of_nine(rng)
        gains = [100 * (arm.mean() - own.mean()) for arm in arms]
        naive.append(max(gains) - 4)
        corrected.append(shrunk(arms, own).max() - 4)
    assert np.mean(naive) > 2
    assert np.mean(corrected) < 0.4 * np.mean(naive)


def test_where_partners_truly_differ_little_is_taken_off() -> None:
    *arms, own = draw_arms(np.random.default_rng(4), (0.5, 0.6, 0.7, 0.8, 0.9), DIGITS, fixed=0.6)
    gains = np.array([100 * (arm.mean() - own.mean()) for arm in arms])
    assert shrunk(arms, own) == pytest.approx(gains, abs=1)
    assert shrunk(arms[:1], own) == pytest.approx(gains[:1])


def test_partners_are_ranked_by_the_target() -> None:
    """Two partners, of whom one is better on the first half of the examples and one on the second."""
    rng = np.random.default_rng(6)
    half = np.repeat([True, False], 200)
    own = rng.random(400) < 0.5
    first, second = (own | (side & (rng.random((3, 400)) < 0.8)) for side in (half, ~half))
    weights = np.where(half, 0.2, 1.8)
    plain, aimed = shrunk([first, second], own), shrunk([first, second], own, weights)
    assert plain == pytest.approx([plain.mean()] * 2, abs=3)
    assert aimed[1] > aimed[0] + 20
    assert shrunk([first, second], own, np.ones(400)).tolist() == plain.tolist()
    # Weights that are whole numbers are examples that stand there so often.
    often = np.where(half, 1, 3)
    rows = np.repeat(np.arange(400), often)
    single = shrunk([first], own, often / often.mean())
    assert single == pytest.approx(shrunk([first[:, rows]], own[rows]))
