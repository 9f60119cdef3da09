from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autokd.config.objective import Constraints, Objective
from autokd.config.search import SearchConfig
from autokd.core.records import Failure, TrialOrigin, TrialRecord, TrialState
from autokd.core.setting import DEFAULT, Setting, TransferSet
from autokd.search.ending import Prospects, outlook, posterior_draws, prospects, smallest_difference
from autokd.search.gaussian_process import Posterior

SETTINGS = (DEFAULT, *(Setting(2.0**power, 0.3, TransferSet.BOTH) for power in range(1, 4)))
SEARCH = SearchConfig(epsilon=1.5, confidence=0.8, min_trials=3)
MANY = 100_000
"""So many validation examples tell any difference."""


def trial(number: int, state: TrialState = TrialState.COMPLETE, forgetting: float = 0.0) -> TrialRecord:
    whole = state is not TrialState.RUNNING
    return TrialRecord(
        number=number,
        setting=SETTINGS[number],
        seed=0,
        role=TrialOrigin.SEARCH,
        state=state,
        curve=((10, 0.5),) if whole else (),
        forgetting_curve=(forgetting,) if whole else (),
        failure=Failure.DIVERGED if state is TrialState.FAIL else None,
    )


def believed(*means: float, deviation: float = 0.1) -> Posterior:
    """Beliefs that have nothing to do with each other."""
    return Posterior(np.array(means), deviation**2 * np.eye(len(means)))


def seen(posterior: Posterior, known: tuple[int, ...] = (0,)) -> Prospects:
    settings = SETTINGS[: len(posterior.mean)]
    return Prospects(settings, np.isin(np.arange(len(settings)), known), posterior, 4.0)


def left(*trials: TrialRecord, aims: Objective | None = None) -> Prospects:
    outlook = prospects(SETTINGS, believed(0.0, 1.0, 2.0, 3.0), trials, aims=aims or Objective(), noise=4.0)
    assert outlook is not None
    return outlook


def test_what_was_not_tried_or_ran_to_the_end_may_become_the_answer() -> None:
    outlook = left(trial(0), trial(1, TrialState.PRUNED), trial(2, TrialState.FAIL))
    assert outlook.settings == (SETTINGS[0], SETTINGS[3])
    assert outlook.known.tolist() == [True, False]
    assert outlook.posterior.mean.tolist() == [0.0, 3.0]
    assert outlook.posterior.covariance.shape == (2, 2)
    assert outlook.noise == 4.0
    assert outlook.best == 1


def test_what_still_runs_is_neither_known_nor_out() -> None:
    outlook = left(trial(0), trial(1, TrialState.RUNNING))
    assert outlook.settings == SETTINGS
    assert outlook.known.tolist() == [True, False, False, False]


def test_what_forgets_too_much_is_out() -> None:
    aims = Objective(constraints=Constraints(max_forgetting=2.0))
    trials = (trial(0, forgetting=2.0), trial(1, forgetting=2.1))
    assert left(*trials, aims=aims).settings == (SETTINGS[0], *SETTINGS[2:])
    assert left(*trials).settings == SETTINGS


def test_a_setting_that_failed_once_and_then_ran_to_the_end_is_known() -> None:
    again = replace(trial(1), number=2)
    outlook = left(trial(0), trial(1, TrialState.FAIL), again)
    assert outlook.known.tolist() == [True, True, False, False]


def test_nothing_may_be_left() -> None:
    failed = [trial(number, TrialState.FAIL) for number in range(4)]
    assert prospects(SETTINGS, believed(0, 1, 2, 3), failed, aims=Objective(), noise=1.0) is None


def test_covariances_are_those_of_the_settings_that_are_left() -> None:
    covariance = np.arange(16.0).reshape(4, 4)
    posterior = Posterior(np.arange(4.0), covariance)
    outlook = prospects(SETTINGS, posterior, [trial(1, TrialState.FAIL)], aims=Objective(), noise=1.0)
    assert outlook is not None
    assert outlook.posterior.covariance.tolist() == [[0, 2, 3], [8, 10, 11], [12, 14, 15]]


def ends(
    posterior: Posterior, *, trials: int = 5, examples: int = MANY, search: SearchConfig = SEARCH
) -> bool:
    return outlook(search, seen(posterior), trials=trials, validation_examples=examples, seed=0).ends


def test_a_best_setting_far_above_all_others_ends_the_search() -> None:
    view = outlook(SEARCH, seen(believed(9.0, 3.0, 2.0)), trials=5, validation_examples=MANY, seed=0)
    assert (view.sure, view.best, view.ends, view.epsilon) == (1.0, SETTINGS[0], True, 1.5)


def test_a_setting_that_nobody_knows_anything_about_keeps_it_open() -> None:
    posterior = Posterior(np.array([9.0, 3.0]), np.diag([0.01, 400.0]))
    view = outlook(SEARCH, seen(posterior), trials=5, validation_examples=MANY, seed=0)
    # It is better by more than 1.5 pp with the probability that a normal draw exceeds 7.5/20.
    assert view.sure == pytest.approx(0.646, abs=0.06)
    assert not view.ends
    assert ends(posterior, search=SEARCH.model_copy(update={"confidence": 0.55}))


def test_regret_is_what_is_expected_of_the_best_setting_beyond_the_one_believed_to_be() -> None:
    """Two settings with the same belief: E[max] - mean = sd·√(1/π). Standard error of 500 draws: 0.15."""
    posterior = believed(20.0, 20.0, deviation=5.0)
    view = outlook(SEARCH, seen(posterior), trials=5, validation_examples=MANY, seed=0)
    assert view.regret == pytest.approx(5 / np.sqrt(np.pi), abs=0.5)


def test_settings_that_are_alike_are_not_a_chance_of_their_own() -> None:
    """Both are unknown, but what one gains the other gains."""
    apart = Posterior(np.array([5.0, 5.0]), np.diag([25.0, 25.0]))
    together = Posterior(np.array([5.0, 5.0]), np.full((2, 2), 25.0))
    assert not ends(apart)
    assert ends(together)


def test_it_does_not_end_before_the_fewest_trials() -> None:
    sure = believed(9.0, 3.0)
    assert not ends(sure, trials=2)
    assert ends(sure, trials=3)


def test_a_smaller_epsilon_keeps_it_open_longer() -> None:
    close = believed(5.0, 5.0, deviation=1.0)
    assert ends(close)
    assert not ends(close, search=SEARCH.model_copy(update={"epsilon": 0.2}))


def test_what_the_validation_examples_cannot_tell_does_not_count() -> None:
    close = believed(5.0, 5.0, deviation=1.0)
    strict = SEARCH.model_copy(update={"epsilon": 0.0})
    view = outlook(strict, seen(close), trials=5, validation_examples=200, seed=0)
    assert view.epsilon == smallest_difference(200) == pytest.approx(100 * np.sqrt(0.05 / 200))
    assert view.ends
    assert not ends(close, search=strict, examples=MANY)
    # A recipe that asks for less than that gets what it asks for.
    loose = outlook(SEARCH, seen(close), trials=5, validation_examples=350, seed=0)
    assert loose.epsilon == SEARCH.epsilon > smallest_difference(350)


@given(st.integers(2, 10**6), st.integers(1, 10**6))
def test_more_examples_tell_more(examples: int, more: int) -> None:
    assert smallest_difference(examples + more) < smallest_difference(examples)


def test_the_smallest_difference_is_the_error_of_two_runs_that_disagree_on_one_example_in_twenty() -> None:
    rng = np.random.default_rng(0)
    examples = 400
    differs = rng.random((4000, examples)) < 0.05
    sign = np.where(rng.random((4000, examples)) < 0.5, 1, -1)
    spread = 100 * (differs * sign).mean(axis=1).std()
    assert smallest_difference(examples) == pytest.approx(spread, rel=0.05)


def test_nothing_gains_less_than_nothing() -> None:
    """All settings lose, one much less surely than the others: the model as it is gains 0 in any case."""
    losing = Posterior(np.array([-30.0, -40.0]), np.diag([0.01, 25.0]))
    assert ends(losing)
    # Ten points higher the same belief tells that the other may be better than nothing by far.
    posterior = Posterior(np.array([-30.0, -5.0]), np.diag([0.01, 100.0]))
    view = outlook(SEARCH, seen(posterior), trials=5, validation_examples=MANY, seed=0)
    assert view.best == SETTINGS[1]
    assert view.sure == 1.0  # The one believed to be best is that other itself.


def test_a_best_setting_that_may_lose_is_missed_by_no_more_than_nothing_gains() -> None:
    """The best may turn out at -20 and another at -19: neither would be used."""
    posterior = Posterior(np.array([-19.0, -20.0]), np.diag([4.0, 4.0]))
    assert outlook(SEARCH, seen(posterior), trials=5, validation_examples=MANY, seed=0).sure == 1.0


@given(st.integers(0, 2**31))
def test_draws_are_a_function_of_the_seed(seed: int) -> None:
    posterior = Posterior(np.array([1.0, 2.0]), np.array([[2.0, 1.0], [1.0, 2.0]]))
    assert np.array_equal(posterior_draws(posterior, seed), posterior_draws(posterior, seed))


def test_draws_have_the_mean_and_covariance_of_the_belief() -> None:
    """500 draws a seed, 40 seeds: standard error of a mean 0.01, of a covariance 0.02 of the variance."""
    posterior = Posterior(np.array([1.0, -2.0]), np.array([[2.0, 1.5], [1.5, 2.0]]))
    draws = np.concatenate([posterior_draws(posterior, seed) for seed in range(40)])
    assert draws.mean(axis=0) == pytest.approx(posterior.mean, abs=0.05)
    assert np.cov(draws.T) == pytest.approx(posterior.covariance, abs=0.1)


def test_beliefs_without_any_doubt_can_be_drawn_too() -> None:
    posterior = Posterior(np.array([1.0, 2.0]), np.zeros((2, 2)))
    assert posterior_draws(posterior, 0) == pytest.approx(np.tile(posterior.mean, (500, 1)), abs=0.2)
