from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autokd.config.search import SearchConfig
from autokd.core.records import Failure, TrialOrigin, TrialRecord, TrialState
from autokd.core.setting import Pair, Setting, TransferSet
from autokd.search.budget import next_in_meeting, probability_best, to_retry, trials_ended, trials_used
from tests.search.worlds import BACKWARD, FORWARD


def trial(
    number: int,
    accuracy: float | None = 0.5,
    *,
    temperature: float | None = None,
    failure: Failure | None = None,
) -> TrialRecord:
    state = TrialState.FAIL if failure else TrialState.COMPLETE
    return TrialRecord(
        number=number,
        setting=Setting(temperature or number + 1, 0.5, TransferSet.BOTH),
        seed=0,
        role=TrialOrigin.SEARCH,
        state=state,
        curve=() if failure or accuracy is None else ((10, accuracy),),
        failure=failure,
    )


def played(
    trials: int, floor: float, best: dict[Pair, float], *, shared: bool = True, rounds: int = 1000
) -> dict[Pair, int]:
    """Give out a whole meeting's budget, or some trials of it, every trial of a pair reaching the same."""
    config = SearchConfig(trials=trials, floor=floor)
    meeting: dict[Pair, list[TrialRecord]] = {pair: [] for pair in best}
    for _ in range(rounds):
        pair = next_in_meeting(config, meeting, validation_examples=200, shared=shared)
        if pair is None:
            break
        meeting[pair].append(trial(len(meeting[pair]), best[pair]))
    return {pair: len(made) for pair, made in meeting.items()}


@given(st.integers(2, 40), st.floats(0.05, 1), st.floats(0, 1), st.floats(0, 1))
def test_a_meeting_spends_its_budget_exactly_and_respects_the_floor(
    trials: int, floor: float, forward: float, backward: float
) -> None:
    counts = played(trials, floor, {FORWARD: forward, BACKWARD: backward})
    assert sum(counts.values()) == 2 * trials
    assert min(counts.values()) >= math.ceil(floor * trials)


@given(st.integers(2, 40), st.floats(0.05, 1), st.floats(0, 0.5), st.floats(0.01, 0.5))
def test_the_better_direction_never_gets_fewer(trials: int, floor: float, worse: float, more: float) -> None:
    counts = played(trials, floor, {FORWARD: worse + more, BACKWARD: worse})
    assert counts[FORWARD] >= counts[BACKWARD]


def test_equal_directions_share_equally_and_a_clear_one_takes_the_rest() -> None:
    assert played(32, 0.5, {FORWARD: 0.6, BACKWARD: 0.6}) == {FORWARD: 32, BACKWARD: 32}
    clear = played(32, 0.5, {FORWARD: 0.9, BACKWARD: 0.5})
    assert clear[FORWARD] >= 46


@given(st.integers(2, 40), st.floats(0.05, 1), st.floats(0, 1), st.floats(0, 1))
def test_without_sharing_no_pair_gets_more_than_its_number(
    trials: int, floor: float, forward: float, backward: float
) -> None:
    best = {FORWARD: forward, BACKWARD: backward}
    assert played(trials, floor, best, shared=False) == {FORWARD: trials, BACKWARD: trials}


@given(st.integers(1, 60), st.floats(0.05, 1), st.floats(0, 1), st.floats(0, 1))
def test_the_floor_is_a_share_of_the_trials_run_so_far(
    rounds: int, floor: float, forward: float, backward: float
) -> None:
    counts = played(40, floor, {FORWARD: forward, BACKWARD: backward}, shared=False, rounds=rounds)
    assert min(counts.values()) >= math.floor(floor * rounds / 2)


def test_a_clearly_better_direction_gets_more_of_the_first_trials() -> None:
    counts = played(40, 0.2, {FORWARD: 0.9, BACKWARD: 0.5}, shared=False, rounds=30)
    assert counts[FORWARD] >= 24


def test_a_pair_alone_gets_its_own_number() -> None:
    assert played(7, 0.5, {FORWARD: 0.5}) == {FORWARD: 7}


def test_promise_is_the_probability_of_being_the_better_one() -> None:
    """By hand: p = 0.6 and 0.5 of 100: error = sqrt(0.24 + 0.25) / 10 = 0.07; Φ(0.1 / 0.07) = 0.9234."""
    meeting = {FORWARD: [trial(0, 0.6)], BACKWARD: [trial(0, 0.5)]}
    weights = probability_best(meeting, validation_examples=100)
    assert weights[FORWARD] == pytest.approx(0.92343, abs=1e-5)
    assert weights[BACKWARD] == pytest.approx(1 - 0.92343, abs=1e-5)


@given(st.floats(0, 1), st.floats(0, 1))
def test_promise_is_never_nothing(forward: float, backward: float) -> None:
    meeting = {FORWARD: [trial(0, forward)], BACKWARD: [trial(0, backward)]}
    weights = probability_best(meeting, validation_examples=200)
    assert min(weights.values()) >= 0.02
    assert sum(weights.values()) == pytest.approx(1)


@pytest.mark.parametrize("failure", [Failure.DIVERGED, Failure.ERROR])
def test_what_would_come_again_is_not_retried_and_is_spent(failure: Failure) -> None:
    assert to_retry([trial(0, failure=failure)], 3) == ()
    assert trials_used([trial(0, failure=failure)]) == 1


def test_infrastructure_is_retried_up_to_the_bound_and_is_spent_once() -> None:
    died = [trial(number, temperature=2, failure=Failure.INFRASTRUCTURE) for number in range(4)]
    assert [len(to_retry(died[:count], 3)) for count in range(1, 5)] == [1, 1, 1, 0]
    assert trials_used(died) == 1


def test_interruptions_are_always_made_up_for() -> None:
    stopped = [trial(number, temperature=2, failure=Failure.INTERRUPTED) for number in range(30)]
    assert len(to_retry(stopped, 0)) == 1
    assert to_retry([*stopped, trial(30, temperature=2)], 0) == ()


def test_a_setting_that_came_to_an_end_is_not_retried_for_its_former_death() -> None:
    died = trial(0, temperature=2, failure=Failure.INFRASTRUCTURE)
    assert to_retry([died, trial(1, temperature=2)], 3) == ()
    assert to_retry([died, trial(1, temperature=2, failure=Failure.DIVERGED)], 3) == ()


def test_a_trial_that_was_interrupted_has_shown_nothing() -> None:
    """So a search that was killed ends after the same trials as one that was not."""
    whole = [trial(0), trial(1, failure=Failure.DIVERGED)]
    assert trials_ended(whole) == 2
    for failure in (Failure.INTERRUPTED, Failure.INFRASTRUCTURE, Failure.OUT_OF_MEMORY):
        assert trials_ended([*whole, trial(2, failure=failure)]) == 2
    running = replace(trial(2), state=TrialState.RUNNING, curve=())
    assert trials_ended([*whole, running]) == 2
    assert trials_ended([*whole, replace(trial(2), state=TrialState.PRUNED)]) == 3
