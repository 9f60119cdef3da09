from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from autokd.config.study import ConfirmationConfig, StudyConfig
from autokd.core.pair_records import PairRecords
from autokd.core.records import FederationFacts
from autokd.core.setting import DEFAULT, Pair, Split
from autokd.recommendation import Recommendation, Verdict, pending
from autokd.recommendation.interim_looks import Unfinished, judge_pair, look_confidence, seeds_wanted
from autokd.recommendation.verdict import Judgement
from autokd.statistics.paired import variance_components
from tests.recommendation.samples import (
    HOT,
    confirmation_runs,
    make_federation,
    make_plan,
    make_trials,
    recommend_from,
)
from tests.statistics.simulated import SEEDS_RULE, Noise, draw_arms

PAIR = Pair(0, 1)
TWICE = make_plan(max_seeds=15, resamples=200)
SIZES = {Split.VALIDATION: 200, Split.CONFIRMATION: 350, Split.TEST: 250}


def test_one_look_is_at_the_confidence_of_the_plan() -> None:
    assert look_confidence(ConfirmationConfig()) == look_confidence(ConfirmationConfig(max_seeds=5)) == 0.95


@given(st.integers(2, 20), st.integers(1, 60), st.sampled_from([0.9, 0.95, 0.99]))
def test_two_looks_lie_between_one_look_and_bonferroni(seeds: int, more: int, confidence: float) -> None:
    found = look_confidence(ConfirmationConfig(seeds=seeds, max_seeds=seeds + more, confidence=confidence))
    assert confidence < found <= 1 - (1 - confidence) / 2


def test_two_looks_of_equal_size_have_the_level_that_pocock_published() -> None:
    """Pocock 1977, table 1: two looks at a total of 5% are at 0.0294 each."""
    assert 1 - look_confidence(ConfirmationConfig(seeds=5, max_seeds=10)) == pytest.approx(0.0294, abs=5e-5)


def test_two_looks_together_err_as_one() -> None:
    """Standard error of 5% from 1,500 simulations: 0.6%; where seeds are nearly all the noise."""
    config = ConfirmationConfig(seeds=5, max_seeds=15)
    rng = np.random.default_rng(0)
    noise = Noise(difficulty=1.0, taste=0.02, shift=0.3, flutter=0.1)
    once = twice = 0
    for _ in range(1500):
        one, other = draw_arms(rng, (0.65, 0.65), noise, seeds=15, examples=200)
        beyond = [
            abs(100 * (one[:seeds].mean() - other[:seeds].mean()))
            > variance_components(one[:seeds], other[:seeds]).half_width(confidence)
            for seeds, confidence in ((5, look_confidence(config)), (15, look_confidence(config)), (15, 0.95))
        ]
        twice += beyond[0] or beyond[1]
        once += beyond[2]
    assert twice / 1500 < 0.065
    assert once / 1500 == pytest.approx(0.05, abs=0.02)


def searched(
    accuracies: tuple[float, float], *, seeds: int, seed: int = 0
) -> tuple[FederationFacts, PairRecords, Recommendation]:
    """A federation, the records of a pair with so many confirmation seeds, and what is recommended."""
    rng = np.random.default_rng(seed)
    arms = {
        split: draw_arms(rng, accuracies, SEEDS_RULE, fixed=0.6, seeds=15, examples=size)
        for split, size in SIZES.items()
    }
    own = {split: found[2] for split, found in arms.items()}
    runs = [
        run
        for arm, setting in enumerate((HOT, DEFAULT))
        for run in confirmation_runs(
            setting,
            {split: found[arm][:seeds] for split, found in arms.items() if split is not Split.VALIDATION},
        )
    ]
    federation, trials = make_federation([own, own]), make_trials(HOT)
    records = PairRecords(pair=PAIR, study="s", trials=trials, runs=runs)
    config = _as_far(TWICE, seeds_wanted(TWICE, federation, records), seeds)
    return federation, records, recommend_from(config, federation, records)


def _as_far(config: StudyConfig, wanted: int, seeds: int) -> StudyConfig:
    """A plan that asks for no more than there is, so that something is recommended in any case."""
    return config if wanted <= seeds else make_plan(resamples=200)


def test_a_pair_that_is_decided_gets_no_more_seeds() -> None:
    federation, records, found = searched((0.95, 0.7), seeds=5)
    assert seeds_wanted(TWICE, federation, records) == 5
    assert isinstance(judge_pair(TWICE, federation, records), Judgement)
    assert found.verdict is Verdict.TUNED
    assert found.to_json()["seeds"] == 5


def test_an_undecided_pair_gets_the_rest_for_both_arms_and_is_judged_on_all() -> None:
    federation, records, _ = searched((0.66, 0.62), seeds=5)
    assert seeds_wanted(TWICE, federation, records) == 15
    assert judge_pair(TWICE, federation, records) == Unfinished(
        "20 race and confirmation runs are to be done"
    )
    owed = pending(TWICE, records, seeds=15)
    assert [run.seed for run in owed] == [2000 + seed for seed in range(5, 15) for _ in range(2)]
    assert {run.setting for run in owed} == {HOT, DEFAULT}
    federation, records, found = searched((0.66, 0.62), seeds=15)
    assert isinstance(judge_pair(TWICE, federation, records), Judgement)
    decided = found.to_json()["decided_on"]
    assert isinstance(decided, dict)
    assert len(decided["seeds"]) == 15
    assert decided["confidence"] == look_confidence(TWICE.confirmation)


def test_what_ran_after_a_decision_changes_nothing() -> None:
    """Somebody lowers the cap, or the driver had runs under way: the first look decided."""
    few, many = (searched((0.95, 0.7), seeds=seeds)[2].to_json() for seeds in (5, 15))
    assert few["decided_on"] == many["decided_on"]


def test_a_cap_below_the_first_look_is_refused() -> None:
    with pytest.raises(ValidationError, match="max_seeds 4 lies below seeds 5"):
        ConfirmationConfig(max_seeds=4)
    assert ConfirmationConfig(max_seeds=5).fixed_looks == (5,)
    assert ConfirmationConfig(max_seeds=5).looks == (2, 3, 5)
