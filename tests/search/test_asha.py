from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autokd.config.search import StoppingConfig
from autokd.config.training import DistillationConfig
from autokd.core.records import Failure, TrialOrigin, TrialRecord, TrialState
from autokd.core.setting import DEFAULT, Schedule, Setting, TransferSet
from autokd.search.asha import compete, should_continue

RULE = StoppingConfig(rungs=(3, 6), reduction=2, grace=0)
RECIPE = DistillationConfig(learning_rate=0.01, epochs=10)
COSINE = RECIPE.model_copy(update={"schedule": "cosine"})
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
    rule = StoppingConfig(rungs=(3, 6), reduction=reduction, grace=0)
    everybody = sorted([*values, mine], reverse=True)
    kept = max(1, len(everybody) // reduction)
    decided = should_continue(rule, RECIPE, trial(0, mine), others(values))
    if mine >= everybody[0]:
        assert decided
    if decided:
        # The cutoff lies between the last kept and the first dropped; never more than one below the share.
        assert mine >= everybody[min(kept, len(everybody) - 1)]
    elif mine > everybody[kept - 1]:
        pytest.fail(f"{mine} is among the best {kept} of {everybody}")


@given(accuracies, st.floats(0, 0.5), st.floats(0, 0.5))
def test_doing_better_never_stops_a_trial(values: list[float], mine: float, more: float) -> None:
    if should_continue(RULE, RECIPE, trial(0, mine), others(values)):
        assert should_continue(RULE, RECIPE, trial(0, mine + more), others(values))


def test_the_first_at_a_rung_goes_on() -> None:
    assert should_continue(RULE, RECIPE, trial(0, 0.01), [])


def test_a_worse_second_is_stopped() -> None:
    assert not should_continue(RULE, RECIPE, trial(0, 0.4), others([0.5]))


def test_each_rung_compares_what_was_reported_there() -> None:
    slow_starter = trial(0, 0.1, 0.8)
    assert should_continue(RULE, RECIPE, slow_starter, [trial(1, 0.9, 0.7), trial(2, 0.95)])


@pytest.mark.parametrize("origin", [TrialOrigin.BASELINE, TrialOrigin.ASKED])
def test_the_baseline_and_what_was_asked_for_are_exempt_and_count_for_others(origin: TrialOrigin) -> None:
    exempt = trial(0, 0.2, role=origin)
    assert should_continue(RULE, RECIPE, exempt, others([0.9] * 5))
    assert not should_continue(RULE, RECIPE, trial(1, 0.1), [exempt])


@pytest.mark.parametrize("grace", [0, 1, 4])
def test_the_first_trials_of_a_study_are_never_stopped(grace: int) -> None:
    """And count for those that come after them."""
    rule = StoppingConfig(rungs=(3, 6), reduction=2, grace=grace)
    better = others([0.9] * 5)
    is_exempt = [number for number in range(8) if should_continue(rule, RECIPE, trial(number, 0.1), better)]
    assert is_exempt == list(range(grace))
    assert not should_continue(rule, RECIPE, trial(grace, 0.1), [trial(0, 0.2)])


def test_a_failed_trial_does_not_count_since_its_retry_would_meet_it() -> None:
    assert should_continue(RULE, RECIPE, trial(1, 0.4), [trial(0, 0.5, state=TrialState.FAIL)])


def test_the_full_budget_is_no_rung() -> None:
    assert should_continue(RULE, RECIPE, trial(0, 0.1, 0.1, 0.1), [trial(1, 0.9, 0.9, 0.9)])


def test_half_of_random_trials_survive_a_rung() -> None:
    """Binomial with p = 1/2 and n = 400: outside of 160 to 240 once in 20,000 orders; the seed is fixed."""
    values = list(np.random.default_rng(0).random(400))
    survived = sum(
        should_continue(RULE, RECIPE, trial(place, value), others(values[:place]))
        for place, value in enumerate(values)
    )
    assert 160 <= survived <= 240


def running(
    accuracy: float, epoch: int, epochs: int | None = None, schedule: Schedule | None = None
) -> TrialRecord:
    setting = Setting(2.0, 0.5, TransferSet.BOTH, epochs=epochs, schedule=schedule)
    return replace(trial(0), setting=setting, curve=((epoch, accuracy),))


FALLING, STEADY = Schedule.COSINE, Schedule.CONSTANT


@pytest.mark.parametrize(
    ("recipe", "mine", "theirs", "same"),
    [
        (RECIPE, (None, None), (None, None), True),
        (
            RECIPE,
            (40, None),
            (None, None),
            True,
        ),  # Of a constant rate, a long run begins as a short one does.
        (RECIPE, (40, STEADY), (20, None), True),
        (RECIPE, (40, FALLING), (40, FALLING), True),
        (RECIPE, (None, FALLING), (10, FALLING), True),
        (RECIPE, (40, FALLING), (20, FALLING), False),
        (RECIPE, (40, FALLING), (None, FALLING), False),
        (RECIPE, (40, FALLING), (40, None), False),
        (COSINE, (None, None), (None, FALLING), True),
        (COSINE, (None, None), (10, STEADY), False),
        (COSINE, (20, None), (40, None), False),
        (COSINE, (20, STEADY), (40, STEADY), True),
    ],
)
def test_trials_compete_where_their_rates_were_alike(
    recipe: DistillationConfig,
    mine: tuple[int | None, Schedule | None],
    theirs: tuple[int | None, Schedule | None],
    same: bool,
) -> None:
    worse, better = running(0.1, 3, *mine), replace(running(0.9, 3, *theirs), number=1)
    assert compete(recipe, worse, better) is compete(recipe, better, worse) is same
    assert should_continue(RULE, recipe, worse, [better]) is not same


@pytest.mark.parametrize(
    ("epochs", "rungs"),
    [(None, [3, 6]), (5, [3]), (20, [3, 6, 10]), (40, [3, 6, 10, 20]), (35, [3, 6, 10, 20])],
)
def test_longer_trials_have_more_rungs(epochs: int | None, rungs: list[int]) -> None:
    better = [replace(running(0.9, epoch, 80), number=epoch) for epoch in range(1, 41)]
    stopped = [
        epoch
        for epoch in range(1, 41)
        if not should_continue(RULE, RECIPE, running(0.1, epoch, epochs), better)
    ]
    assert stopped == rungs


def test_without_rungs_no_trial_of_any_length_is_stopped() -> None:
    rule = StoppingConfig(rungs=(), grace=0)
    for epoch in (3, 6, 10, 20):
        assert should_continue(rule, RECIPE, running(0.1, epoch, 40), [running(0.9, epoch, 40)])
