from __future__ import annotations

from dataclasses import replace

import pytest

from autokd.core.records import Failure, TrialOrigin, TrialRecord, TrialState
from autokd.core.setting import DEFAULT, Setting, TransferSet
from autokd.search.asked import asked_left, ran_before
from tests.search.worlds import tiny_plan

FIRST = Setting(4.0, 0.9, TransferSet.BOTH)
SECOND = Setting(2.0, None, TransferSet.PUBLIC)
CONFIG = tiny_plan().with_asked([FIRST, SECOND])


def tried(setting: Setting, state: TrialState, origin: TrialOrigin = TrialOrigin.SEARCH) -> TrialRecord:
    return TrialRecord(
        number=1,
        setting=setting,
        seed=0,
        role=origin,
        state=state,
        curve=((3, 0.5),) if state in (TrialState.COMPLETE, TrialState.PRUNED) else (),
        failure=Failure.INTERRUPTED if state is TrialState.FAIL else None,
    )


def test_all_are_left_in_their_order_and_nothing_where_nobody_asked() -> None:
    assert asked_left(CONFIG, ()) == (FIRST, SECOND)
    assert asked_left(tiny_plan(), ()) == ()


@pytest.mark.parametrize("state", [TrialState.RUNNING, TrialState.COMPLETE])
def test_a_setting_that_ran_or_runs_is_not_run_again(state: TrialState) -> None:
    assert asked_left(CONFIG, [tried(FIRST, state)]) == (SECOND,)


def test_one_that_was_stopped_early_is_run_to_its_end_once() -> None:
    stopped = tried(FIRST, TrialState.PRUNED)
    assert asked_left(CONFIG, [stopped]) == (FIRST, SECOND)
    assert asked_left(CONFIG, [stopped, tried(FIRST, TrialState.RUNNING, TrialOrigin.ASKED)]) == (SECOND,)


def test_a_failure_that_would_come_again_settles_it() -> None:
    diverged = replace(tried(FIRST, TrialState.FAIL), failure=Failure.DIVERGED)
    assert asked_left(CONFIG, [diverged]) == (SECOND,)


def test_a_retry_that_is_due_anyway_is_not_asked_for_twice() -> None:
    assert asked_left(CONFIG, [tried(FIRST, TrialState.FAIL, TrialOrigin.ASKED)]) == (SECOND,)


def test_a_search_trial_that_was_lost_and_stopped_at_its_retry_is_run_to_its_end() -> None:
    lost, stopped = tried(FIRST, TrialState.FAIL), tried(FIRST, TrialState.PRUNED)
    assert asked_left(CONFIG, [lost, stopped]) == (FIRST, SECOND)


def test_settings_of_the_same_run_are_one() -> None:
    recipe = CONFIG.distillation
    spelt_out = replace(FIRST, learning_rate=recipe.learning_rate, epochs=recipe.epochs)
    config = tiny_plan().with_asked([FIRST, spelt_out])
    assert asked_left(config, ()) == (FIRST,)
    assert asked_left(config, [tried(spelt_out, TrialState.COMPLETE)]) == ()
    # Without the teacher the temperature has no effect.
    cold, hot = (Setting(temperature, 0.0, TransferSet.BOTH) for temperature in (1.0, 4.0))
    assert asked_left(tiny_plan().with_asked([hot]), [tried(cold, TrialState.COMPLETE)]) == ()


def test_the_default_setting_is_there_already() -> None:
    baseline = tried(DEFAULT, TrialState.RUNNING, TrialOrigin.BASELINE)
    assert asked_left(tiny_plan().with_asked([DEFAULT]), [baseline]) == ()


def test_what_ran_before_anybody_asked_is_named() -> None:
    searched = tried(FIRST, TrialState.COMPLETE)
    assert ran_before(CONFIG, [searched]) == (FIRST,)
    assert ran_before(CONFIG, [tried(FIRST, TrialState.COMPLETE, TrialOrigin.ASKED)]) == ()
    assert ran_before(CONFIG, [tried(FIRST, TrialState.PRUNED)]) == ()
