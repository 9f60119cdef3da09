from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm

from autokd.config.space import read_space
from autokd.core.setting import Setting, derive_seed
from autokd.search.acquisition import climbed, expected_improvement
from autokd.search.candidates import candidate_settings, neighbours
from autokd.search.gaussian_process import Posterior

SPACE = read_space("extended")
CANDIDATES = [setting for setting in candidate_settings(SPACE) if setting in SPACE]


@pytest.mark.parametrize(("mean", "deviation", "best"), [(0, 1, 0), (3, 2, 5), (5, 0.5, 3), (-4, 10, 2)])
def test_expected_improvement_is_the_integral_it_stands_for(
    mean: float, deviation: float, best: float
) -> None:
    belief = Posterior(np.array([mean]), np.array([[deviation**2]]))
    above = norm(mean, deviation)
    expected, _ = quad(lambda gain: (gain - best) * above.pdf(gain), best, max(best, mean) + 12 * deviation)
    np.testing.assert_allclose(expected_improvement(belief, best), expected, rtol=1e-6)


def test_what_is_known_for_sure_improves_by_what_it_is_better() -> None:
    belief = Posterior(np.array([7.0, 1.0]), np.zeros((2, 2)))
    np.testing.assert_allclose(expected_improvement(belief, 2.0), [5.0, 0.0], atol=1e-9)


def around(setting: Setting) -> Sequence[Setting]:
    return neighbours(SPACE, setting)


@given(st.integers(0, 2**32 - 1), st.sets(st.sampled_from(CANDIDATES), min_size=1, max_size=30))
def test_moves_never_return_something_worse_than_the_start(seed: int, start: set[Setting]) -> None:
    values = {setting: value(seed, setting) for setting in sorted(start, key=str)}
    top = climbed(values, (), around, lambda moves: np.array([value(seed, move) for move in moves]))
    assert value(seed, top) >= max(values.values())


@given(st.sets(st.sampled_from(CANDIDATES), min_size=2, max_size=30))
def test_what_was_tried_is_left_but_never_returned(start: set[Setting]) -> None:
    """Where everything known was tried, its neighbours are looked at all the same."""
    tried = dict.fromkeys(sorted(start, key=str), -math.inf)
    best = climbed(tried, list(tried), around, lambda moves: np.ones(len(moves)))
    assert best not in tried


def test_moves_reach_the_top_of_a_hill_between_the_candidates() -> None:
    def hill(settings: Sequence[Setting]) -> np.ndarray:
        return np.array([-(math.log2(setting.temperature / 3) ** 2) for setting in settings])

    start = [setting for setting in CANDIDATES if setting.temperature in (0.5, 16.0)]
    known: Mapping[Setting, float] = dict(zip(start, hill(start).tolist(), strict=True))
    best = climbed(known, (), around, hill)
    assert hill([best])[0] > max(known.values()) + 1


def value(seed: int, setting: Setting) -> float:
    """Any function of a setting."""
    return derive_seed(str(setting), seed) / 2**63
