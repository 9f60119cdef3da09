from __future__ import annotations

from collections.abc import Mapping
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtri
from scipy.stats import binomtest

from autokd.core.setting import Pair
from autokd.statistics.dyadic import dyadic_error, dyadic_interval, dyadic_share

TEN = [Pair(*two) for two in permutations(range(10), 2)]


def figures(
    rng: np.random.Generator, *, teacher: float, student: float, cell: float, mean: float = 0.0
) -> Mapping[Pair, float]:
    """Ten participants with an effect in each role, and what is a pair's own; standard deviations in pp."""
    teachers, students = rng.normal(0, teacher, 10), rng.normal(0, student, 10)
    return {
        pair: mean + teachers[pair.teacher] + students[pair.student] + rng.normal(0, cell) for pair in TEN
    }


def test_effects_of_participants_alone_leave_the_error_of_a_mean_of_participants() -> None:
    """y = a_t + a_s has the mean 2·mean(a), of which ten participants tell the error."""
    effects = np.random.default_rng(0).normal(0, 3, 10)
    values = {pair: effects[pair.teacher] + effects[pair.student] for pair in TEN}
    assert dyadic_error(values) == pytest.approx(2 * effects.std(ddof=1) / np.sqrt(10))


def test_the_error_is_unbiased_where_it_can_be_worked_out() -> None:
    """Teachers and students of independent effects: σ² of the mean is (σ_t² + σ_s²)/10 + σ_cell²/90."""
    rng = np.random.default_rng(1)
    squares = [dyadic_error(figures(rng, teacher=2, student=3, cell=4)) ** 2 for _ in range(400)]
    assert np.mean(squares) == pytest.approx((4 + 9) / 10 + 16 / 90, rel=0.08)


@pytest.mark.parametrize(
    ("teacher", "student", "cell"), [(1, 6, 4), (3, 3, 3), (0, 5, 0), (0, 0, 5)], ids=str
)
def test_coverage(teacher: float, student: float, cell: float) -> None:
    """Of 95% intervals, standard error of 150 simulations 1.8%; the seed is fixed."""
    rng = np.random.default_rng(2)
    intervals = [
        dyadic_interval(
            figures(rng, teacher=teacher, student=student, cell=cell, mean=4), resamples=400, seed=index
        )
        for index in range(150)
    ]
    assert 0.91 <= np.mean([interval.low <= 4 <= interval.high for interval in intervals]) <= 0.99


def test_ninety_independent_units_would_promise_too_much() -> None:
    """Why participants are resampled: of such intervals not even two thirds hold the truth."""
    rng = np.random.default_rng(3)
    held = []
    for _ in range(300):
        values = np.array(list(figures(rng, teacher=1, student=6, cell=4).values()))
        held.append(abs(values.mean()) <= 1.99 * values.std(ddof=1) / np.sqrt(90))
    assert np.mean(held) < 0.66


@given(st.lists(st.floats(-50, 50), min_size=12, max_size=12), st.floats(-20, 20), st.integers(0, 9))
def test_laws(numbers: list[float], shift: float, seed: int) -> None:
    pairs = list(permutations(range(4), 2))
    values = {Pair(*pair): number for pair, number in zip(pairs, numbers, strict=True)}
    interval = dyadic_interval(values, resamples=200, seed=seed)
    assert interval == dyadic_interval(values, resamples=200, seed=seed)
    assert interval.mean == pytest.approx(np.mean(numbers))
    moved = dyadic_interval({pair: value + shift for pair, value in values.items()}, resamples=200, seed=seed)
    assert (moved.low, moved.high) == pytest.approx((interval.low + shift, interval.high + shift), abs=1e-6)
    wide = dyadic_interval(values, confidence=0.99, resamples=200, seed=seed)
    assert wide.low <= interval.low + 1e-9 <= interval.high + 2e-9 <= wide.high + 3e-9


def test_the_same_figure_everywhere_has_no_doubt() -> None:
    interval = dyadic_interval(dict.fromkeys(TEN, 2.5))
    assert (interval.mean, interval.low, interval.high) == (2.5, 2.5, 2.5)


def test_pairs_of_one_participant_are_refused() -> None:
    with pytest.raises(ValueError, match="9 pairs that all share a participant"):
        dyadic_interval({Pair(other, 9): 1.0 for other in range(9)})
    with pytest.raises(ValueError, match="share a participant"):
        dyadic_interval({Pair(*two): 1.0 for two in permutations(range(3), 2)})


@given(
    st.lists(st.sampled_from([0.0, 1.0]), min_size=90, max_size=90),
    st.floats(0.5, 0.99),
)
def test_a_share_lies_within_its_interval(held: list[float], confidence: float) -> None:
    interval = dyadic_share(dict(zip(TEN, held, strict=True)), confidence=confidence)
    assert 0 <= interval.low <= interval.mean <= interval.high <= 1
    assert interval.low < interval.high


def test_a_share_of_independent_pairs_has_wilsons_interval() -> None:
    """SciPy's, for the normal quantile: with many participants Student's is the same."""
    apart = {Pair(2 * number, 2 * number + 1): float(number % 4 == 0) for number in range(1200)}
    wilson = binomtest(300, 1200).proportion_ci(method="wilson")
    assert dyadic_share(apart).low == pytest.approx(wilson.low, abs=2e-4)
    assert dyadic_share(apart).high == pytest.approx(wilson.high, abs=2e-4)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_coverage_of_a_share(share: float) -> None:
    """Of 95% intervals, where participants matter as much as the pair; the seed is fixed."""
    rng = np.random.default_rng(4)
    limit = ndtri(share) * np.sqrt(1.5)
    held = []
    for _ in range(300):
        values = figures(rng, teacher=0.5, student=0.5, cell=1)
        interval = dyadic_share({pair: float(value < limit) for pair, value in values.items()})
        held.append(interval.low <= share <= interval.high)
    assert np.mean(held) >= 0.92


def test_what_holds_for_all_pairs_may_not_hold_for_others() -> None:
    everything = dyadic_share(dict.fromkeys(TEN, 1.0))
    assert everything.high == 1
    assert 0.3 < everything.low < 0.7
    with pytest.raises(ValueError, match="holds for a pair"):
        dyadic_share(dict.fromkeys(TEN, 0.5))
