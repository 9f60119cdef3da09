from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autokd.config.study import StoppingConfig
from autokd.core.records import Failure, TrialOrigin, TrialRecord, TrialState
from autokd.core.setting import DEFAULT, Setting, TransferSet
from autokd.search.asha import should_continue

RECIPE = StoppingConfig(rungs=(3, 6), reduction=2, grace=0)
accuracies = st.lists(st.integers(0, 200).map(lambda right: right / 200), max_size=20)


def trial(
    number: int,
    *accuracies: float,
    state: TrialState = TrialState.RUNNING,
    role: TrialOrigin = TrialOrigin.SEARCH,
) -> TrialRecord:
    curve = tuple(zip((3, 6, 10), accuracies, strict=False))
    setting = DEFAULT if role is TrialOrigin.BASELINE else Setting(2.0, 0.5, TransferSet.BOTH)
    return TrialRecord(
        number=number,
        setting=setting,
        seed=0,
        role=role,
        state=state,
        curve=curve,
        failure=Failure.INTERRUPTED if state is TrialState.FAIL else None,
    )


def others(values: list[float]) -> list[TrialRecord]:
    return [trial(number, value) for number, value in enumerate(values, start=1)]


@given(accuracies, st.floats(0, 1), st.sampled_from([2, 3, 4]))
def test_the_best_share_of_those_that_reported_goes_on(
    values: list[float], mine: float, reduction: int
) -> None:
    """Independent source: the quantile rule of the paper's top_k, by sorting."""
    recipe = StoppingConfig(rungs=(3, 6), reduction=reduction, grace=0)
    everybody = sorted([*values, mine], reverse=True)
    kept = max(1, len(everybody) // reduction)
    decided = should_continue(recipe, trial(0, mine), others(values))
    if mine >= everybody[0]:
        assert decided
    if decided:
        # The cutoff lies between the last kept and the first dropped; never more than one below the share.
        assert mine >= everybody[min(kept, len(everybody) - 1)]
    elif mine > everybody[kept - 1]:
        pytest.fail(f"{mine} is among the best {kept} of {everybody}")


@given(accuracies, st.floats(0, 0.5), st.floats(0, 0.5))
def test_doing_better_never_stops_a_trial(values: list[float], mine: float, more: float) -> None:
    if should_continue(RECIPE, trial(0, mine), others(values)):
        assert should_continue(RECIPE, trial(0, mine + more), others(values))


def test_the_first_at_a_rung_goes_on() -> None:
    assert should_continue(RECIPE, trial(0, 0.01), [])


def test_a_worse_second_is_stopped() -> None:
    assert not should_continue(RECIPE, trial(0, 0.4), others([0.5]))


def test_each_rung_compares_what_was_reported_there() -> None:
    slow_starter = trial(0, 0.1, 0.8)
    assert should_continue(RECIPE, slow_starter, [trial(1, 0.9, 0.7), trial(2, 0.95)])


@pytest.mark.parametrize("origin", [TrialOrigin.BASELINE, TrialOrigin.ASKED])
def test_the_baseline_and_what_was_asked_for_are_exempt_and_count_for_others(origin: TrialOrigin) -> None:
    exempt = trial(0, 0.2, role=origin)
    assert should_continue(RECIPE, exempt, others([0.9] * 5))
    assert not should_continue(RECIPE, trial(1, 0.1), [exempt])


@pytest.mark.parametrize("grace", [0, 1, 4])
def test_the_first_trials_of_a_study_are_never_stopped(grace: int) -> None:
    """And count for those that come after them."""
    recipe = StoppingConfig(rungs=(3, 6), reduction=2, grace=grace)
    better = others([0.9] * 5)
    is_exempt = [number for number in range(8) if should_continue(recipe, trial(number, 0.1), better)]
    assert is_exempt == list(range(grace))
    assert not should_continue(recipe, trial(grace, 0.1), [trial(0, 0.2)])


def test_a_failed_trial_does_not_count_since_its_retry_would_meet_it() -> None:
    assert should_continue(RECIPE, trial(1, 0.4), [trial(0, 0.5, state=TrialState.FAIL)])


def test_the_full_budget_is_no_rung() -> None:
    assert should_continue(RECIPE, trial(0, 0.1, 0.1, 0.1), [trial(1, 0.9, 0.9, 0.9)])


def test_half_of_random_trials_survive_a_rung() -> None:
    """Binomial with p = 1/2 and n = 400: outside of 160 to 240 once in 20,000 orders; the seed is fixed."""
    values = list(np.random.default_rng(0).random(400))
    survived = sum(
        should_continue(RECIPE, trial(place, value), others(values[:place]))
        for place, value in enumerate(values)
    )
    assert 160 <= survived <= 240
