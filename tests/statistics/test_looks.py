from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri
from scipy.stats import multivariate_normal

from autokd.statistics.looks import confidence_of_each, correlations, p_value_of_all

levels = st.sampled_from([0.9, 0.95, 0.99])
shares = st.sampled_from([0.01, 0.1, 0.3, 1.0, 3.0, 30.0, math.inf])
LOOKS = (2, 3, 5)


def matrix(looks: tuple[float, ...]) -> np.ndarray:
    """The correlation of any two looks: the product of those between neighbours."""
    size = len(looks) + 1
    made = np.eye(size)
    for first in range(size):
        for second in range(first + 1, size):
            made[first, second] = made[second, first] = math.prod(looks[first:second])
    return made


def all_between(low: float, high: float, looks: tuple[float, ...]) -> float:
    """What scipy's integration says."""
    size = len(looks) + 1
    probability = multivariate_normal.cdf(
        np.full(size, high),
        np.zeros(size),
        matrix(looks),
        allow_singular=True,
        lower_limit=np.full(size, low),
        maxpts=200_000,
        abseps=1e-6,
        rng=np.random.default_rng(0),
    )
    return float(probability)


def test_two_looks_have_the_figure_of_former_versions() -> None:
    """Stored verdicts of rule 1 rest on it."""
    looks = correlations((5, 15), math.inf)
    assert looks == (math.sqrt(5 / 15),)
    # The last digit depends on the release of SciPy.
    assert confidence_of_each(0.95, looks) == pytest.approx(0.9723457357235177, rel=1e-14)


@given(levels, st.floats(1e-6, 0.5))
def test_one_look_is_unchanged(confidence: float, p_value: float) -> None:
    assert confidence_of_each(confidence, correlations((5,), 1.0)) == confidence
    assert p_value_of_all(p_value, correlations((5,), 1.0)) == p_value


@pytest.mark.parametrize("share", [0.02, 0.3, 1.0, 5.0, math.inf])
@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
def test_three_looks_hold_at_once_with_the_confidence_asked_for(share: float, confidence: float) -> None:
    looks = correlations(LOOKS, share)
    z = float(ndtri((1 + confidence_of_each(confidence, looks)) / 2))
    assert all_between(-z, z, looks) == pytest.approx(confidence, abs=2e-5)


@pytest.mark.parametrize("looks", [(0.2, 0.9), (0.9, 0.2), (0.6, 0.6, 0.6), (0.999, 0.5), (0.9999, 0.9999)])
def test_so_they_do_at_correlations_that_no_plan_has(looks: tuple[float, ...]) -> None:
    z = float(ndtri((1 + confidence_of_each(0.95, looks)) / 2))
    assert all_between(-z, z, looks) == pytest.approx(0.95, abs=1e-4)


def test_three_looks_of_equal_size_have_the_level_that_pocock_published() -> None:
    """Pocock 1977, table 1: three looks at a total of 5% are at 0.0221 each, five at 0.0158."""
    for number, level in ((3, 0.0221), (5, 0.0158)):
        looks = correlations(tuple(range(2, 2 * number + 1, 2)), math.inf)
        assert 1 - confidence_of_each(0.95, looks) == pytest.approx(level, abs=5e-5)


@given(levels, st.lists(st.integers(2, 30), min_size=2, max_size=4, unique=True).map(sorted))
@settings(max_examples=10, deadline=None)
def test_the_more_alike_looks_are_the_less_they_cost(confidence: float, seeds: list[int]) -> None:
    confidences = [
        confidence_of_each(confidence, correlations(seeds, share)) for share in (math.inf, 3.0, 0.3, 0.01)
    ]
    assert confidences == sorted(confidences, reverse=True)
    # Never above Bonferroni, never below a single look.
    assert confidence < confidences[-1]
    assert confidences[0] <= 1 - (1 - confidence) / len(seeds)


@given(st.lists(st.integers(2, 50), min_size=2, max_size=5, unique=True).map(sorted), shares)
def test_correlations_are_those_of_means_of_seeds_and_examples(seeds: list[int], share: float) -> None:
    computed = correlations(seeds, share)
    least = [math.sqrt(before / after) for before, after in pairwise(seeds)]
    assert len(computed) == len(seeds) - 1
    assert all(low - 1e-12 <= value <= 1 for low, value in zip(least, computed, strict=True))
    if math.isinf(share):
        assert computed == pytest.approx(least)


def test_means_of_seeds_and_common_examples_correlate_as_computed() -> None:
    """40,000 draws; standard error of a correlation 0.005 at most."""
    rng, share = np.random.default_rng(0), 2.0
    runs = rng.normal(0, math.sqrt(share), (40_000, 5))
    means = np.stack([runs[:, :seeds].mean(axis=1) for seeds in LOOKS]) + rng.normal(0, 1, 40_000)
    seen = np.asarray(np.corrcoef(means))
    assert (seen[0, 1], seen[1, 2]) == pytest.approx(correlations(LOOKS, share), abs=0.015)
    assert seen[0, 2] == pytest.approx(math.prod(correlations(LOOKS, share)), abs=0.015)


@given(st.floats(1e-12, 1), shares)
@settings(max_examples=40, deadline=None)
def test_a_corrected_p_value_is_never_below_the_single_one_nor_above_bonferroni(
    p_value: float, share: float
) -> None:
    corrected = p_value_of_all(p_value, correlations(LOOKS, share))
    assert p_value <= corrected <= min(1.0, 3 * p_value + 1e-6)


@given(st.floats(1e-9, 0.5), st.floats(1e-9, 0.5))
@settings(max_examples=40, deadline=None)
def test_it_keeps_the_order(p_value: float, other: float) -> None:
    low, high = sorted((p_value, other))
    looks = correlations(LOOKS, 1.0)
    assert p_value_of_all(low, looks) <= p_value_of_all(high, looks) + 1e-9


@pytest.mark.parametrize("share", [0.2, 2.0, 20.0])
def test_it_is_valid_wherever_the_looks_stop(share: float) -> None:
    """Nothing is better, and whoever watches stops at the best look: that is the worst that can be done.

    40,000 simulations: standard error of 1% 0.05%, of 10% 0.15%. A single p-value would err far more.
    """
    rng = np.random.default_rng(1)
    runs = rng.normal(0, math.sqrt(share), (40_000, LOOKS[-1]))
    examples = rng.normal(0, 1, 40_000)
    best = np.max(
        [(runs[:, :seeds].mean(axis=1) + examples) / math.sqrt(share / seeds + 1) for seeds in LOOKS],
        axis=0,
    )
    looks = correlations(LOOKS, share)
    for level, error in ((0.01, 0.0005), (0.05, 0.0011), (0.1, 0.0015)):
        # The corrected p-value grows with the single one, so a limit of one is a limit of the other.
        limit = brentq(lambda single, level=level: p_value_of_all(single, looks) - level, level / 10, level)
        assert float((ndtr(-best) <= limit).mean()) == pytest.approx(level, abs=4 * error)
