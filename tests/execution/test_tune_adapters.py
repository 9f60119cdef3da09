"""The shells as Tune calls them, on a real queue and store, without Ray's processes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from ray import cloudpickle
from ray.tune.experiment import Trial
from ray.tune.schedulers import TrialScheduler
from ray.tune.search import Searcher

from autokd.core.records import Failure, RungReport, TrialState
from autokd.core.run_spec import RunFailure, RunSpec
from autokd.core.setting import DEFAULT, Split
from autokd.errors import StoreError, WorkersLost
from autokd.execution.run_context import ANSWER, LOGITS, NOTICE, Parcel
from autokd.execution.tune_adapters import DriverState, QueueScheduler, QueueSearcher, StopFlag
from tests.recommendation.samples import confirmation_run
from tests.search.worlds import FORWARD, World, report, tiny_plan


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path, tiny_plan(), meetings=[[FORWARD]])
    yield world
    world.close()


@pytest.fixture
def state(world: World) -> DriverState:
    return DriverState(world.queue, max_in_flight=lambda: 3)


def answer(config: dict[str, Any], epoch: int) -> dict[str, Any]:
    return {ANSWER: report(RunSpec.from_config(config), epoch)}


def says(searcher: QueueSearcher, key: str) -> object:
    """NOTE: Tune's hook is typed as giving a dict, yet FINISHED is a string."""
    return searcher.suggest(key)


def trial(key: str, error: Exception | None = None) -> Trial:
    return cast(Trial, SimpleNamespace(trial_id=key, get_error=lambda: error))


def test_it_hands_out_as_many_runs_as_may_be_live(state: DriverState) -> None:
    searcher = QueueSearcher(state)
    config = [searcher.suggest(key) for key in "abcd"]
    assert [config is not None for config in config] == [True, True, True, False]


def test_a_trial_goes_through_its_rungs_to_the_end(state: DriverState, world: World) -> None:
    searcher, scheduler = QueueSearcher(state), QueueScheduler(state)
    config = searcher.suggest("a")
    assert config is not None
    for epoch in (3, 6):
        assert scheduler.on_trial_result(None, trial("a"), answer(config, epoch)) == TrialScheduler.CONTINUE
    searcher.on_trial_complete("a", answer(config, 10))
    (baseline,) = world.trials()
    assert (baseline.state, [epoch for epoch, _ in baseline.curve]) == (TrialState.COMPLETE, [3, 6, 10])


def test_a_trial_that_asha_stops_is_pruned_with_its_last_rung_told_once(
    state: DriverState, world: World
) -> None:
    searcher, scheduler = QueueSearcher(state), QueueScheduler(state)
    first, second = searcher.suggest("a"), searcher.suggest("b")
    assert first is not None
    assert second is not None
    scheduler.on_trial_result(None, trial("a"), answer(first, 3))
    poor = RungReport(3, 0.01, 0.0, 0.01, 1.0, 1.0, 0.1)
    assert scheduler.on_trial_result(None, trial("b"), {ANSWER: poor}) == TrialScheduler.STOP
    searcher.on_trial_complete("b", {ANSWER: poor})
    stopped = world.trials()[1]
    assert (stopped.state, stopped.curve) == (TrialState.PRUNED, ((3, 0.01),))


def test_a_lost_worker_is_infrastructure_with_the_reason(state: DriverState, world: World) -> None:
    searcher, scheduler = QueueSearcher(state), QueueScheduler(state)
    searcher.suggest("a")
    scheduler.on_trial_error(None, trial("a", OSError("connection reset")))
    searcher.on_trial_complete("a", error=True)
    (lost,) = world.trials()
    assert (lost.failure, lost.reason) == (Failure.INFRASTRUCTURE, "OSError: connection reset")


def test_a_run_that_died_says_how(state: DriverState, world: World) -> None:
    searcher = QueueSearcher(state)
    searcher.suggest("a")
    searcher.on_trial_complete("a", {ANSWER: RunFailure(Failure.DIVERGED, "loss became nan at step 3")})
    (died,) = world.trials()
    assert (died.failure, died.reason) == (Failure.DIVERGED, "loss became nan at step 3")


def test_logits_are_handed_on_and_not_kept_by_tune() -> None:
    """Tune keeps the last result of each run until the experiment ends."""
    ended: dict[str, Any] = {}
    queue = cast(Any, SimpleNamespace(live=1, end=ended.__setitem__))
    logits = {Split.TEST: np.zeros((2, 3), dtype=np.float16)}
    record = confirmation_run(DEFAULT, 0, {Split.TEST: [True, False]})
    last: dict[str, Any] = {ANSWER: record, LOGITS: Parcel(logits)}
    QueueSearcher(DriverState(queue)).on_trial_complete("a", last)
    assert ended["a"].logits == logits
    assert ended["a"].correct is record.correct
    assert last[ANSWER].logits == last[LOGITS].take() == {}


def test_what_a_worker_wants_told_is_told_once_whenever_it_says_it(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    state = DriverState(world.queue, max_in_flight=lambda: 3)
    searcher, scheduler = QueueSearcher(state), QueueScheduler(state)
    first, second = searcher.suggest("a"), searcher.suggest("b")
    assert first is not None
    assert second is not None
    scheduler.on_trial_result(None, trial("a"), {**answer(first, 3), NOTICE: ""})
    assert caplog.messages == []
    scheduler.on_trial_result(None, trial("a"), {**answer(first, 6), NOTICE: "no room"})
    scheduler.on_trial_result(None, trial("b"), {**answer(second, 3), NOTICE: "no room"})
    searcher.on_trial_complete("a", {**answer(first, 10), NOTICE: "something else"})
    assert caplog.messages == ["no room", "something else"]


def test_no_hook_raises_and_the_first_error_is_kept(
    state: DriverState, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From a hook an exception would make Tune report a finished trial again, or end half-way."""
    searcher, scheduler = QueueSearcher(state), QueueScheduler(state)
    config = searcher.suggest("a")
    assert config is not None

    def fail(*args: object) -> None:
        raise StoreError("the disk is full")

    monkeypatch.setattr(type(world.store), "report", fail)
    assert scheduler.on_trial_result(None, trial("a"), answer(config, 3)) == TrialScheduler.STOP
    assert str(state.error) == "the disk is full"
    assert StopFlag(state).stop_all()
    # From then on nothing is asked of the queue any more.
    searcher.on_trial_complete("unknown", error=True)
    assert says(searcher, "b") == Searcher.FINISHED
    assert str(state.error) == "the disk is full"


def test_stopping_waits_for_what_is_live_and_then_is_final(state: DriverState) -> None:
    searcher = QueueSearcher(state)
    searcher.suggest("a")
    state.stopping = True
    assert searcher.suggest("b") is None
    searcher.on_trial_complete("a", {ANSWER: RunFailure(Failure.DIVERGED, "")})
    assert says(searcher, "b") == Searcher.FINISHED


def test_finished_is_said_only_when_nothing_is_live(state: DriverState) -> None:
    searcher = QueueSearcher(state)
    searcher.suggest("baseline")
    while says(searcher, "next") is not None:
        searcher.on_trial_complete("next", {ANSWER: RunFailure(Failure.DIVERGED, "")})
    assert state.queue.live == 1  # the budget is spent, but the baseline has not ended
    searcher.on_trial_complete("baseline", {ANSWER: RunFailure(Failure.DIVERGED, "")})
    assert says(searcher, "next") == Searcher.FINISHED


def test_what_tune_pickles_holds_nothing_of_the_store(state: DriverState, world: World) -> None:
    for shell in (QueueSearcher(state), QueueScheduler(state), StopFlag(state)):
        pickled = cloudpickle.dumps(shell)
        assert b"store.db" not in pickled
        assert b"sqlite" not in pickled
        with pytest.raises(RuntimeError, match="start a new"):
            _ = cloudpickle.loads(pickled).state.queue


def test_an_experiment_ends_after_its_share_and_another_goes_on(state: DriverState) -> None:
    state.most = 2
    searcher = QueueSearcher(state)
    assert searcher.suggest("a")
    assert searcher.suggest("b")
    assert searcher.suggest("c") is None
    for key in "ab":
        searcher.on_trial_complete(key, error=True)
    assert says(searcher, "c") == Searcher.FINISHED
    assert not state.queue.finished


@pytest.fixture
def patient(tmp_path: Path) -> Iterator[DriverState]:
    """A state whose runs are tried again and again."""
    world = World(tmp_path, tiny_plan(trials=30, retries=1000), meetings=[[FORWARD]])
    yield DriverState(world.queue, max_in_flight=lambda: 2)
    world.close()


def test_workers_that_all_die_end_the_experiment_with_the_last_words(patient: DriverState) -> None:
    searcher, scheduler = QueueSearcher(patient), QueueScheduler(patient)
    for number in range(8):
        assert patient.error is None
        assert searcher.suggest(f"run-{number}")
        scheduler.on_trial_error(None, trial(f"run-{number}", OSError("cannot start python\nstack")))
        searcher.on_trial_complete(f"run-{number}", error=True)
    assert isinstance(patient.error, WorkersLost)
    assert "OSError: cannot start python (" in str(patient.error)
    assert patient.stopping


def test_a_node_that_leaves_may_take_many_workers_at_once(patient: DriverState) -> None:
    room = [20]
    patient._max_in_flight = lambda: room[0]
    searcher = QueueSearcher(patient)
    for number in range(20):
        assert searcher.suggest(f"run-{number}")
    room[0] = 2
    for number in range(20):
        searcher.on_trial_complete(f"run-{number}", error=True)
    assert patient.error is None


def test_a_word_in_between_is_a_sign_of_life(patient: DriverState) -> None:
    searcher, scheduler = QueueSearcher(patient), QueueScheduler(patient)
    for number in range(20):
        config = searcher.suggest(f"run-{number}")
        assert config
        scheduler.on_trial_result(None, trial(f"run-{number}"), answer(config, 3))
        searcher.on_trial_complete(f"run-{number}", error=True)
    assert patient.error is None


def test_ray_that_dies_with_a_command_that_somebody_ends_is_no_error(state: DriverState) -> None:
    state.stop()
    state.lose_ray(WorkersLost("Ray has died"))
    assert state.error is None


def test_ray_that_dies_by_itself_is_one(state: DriverState) -> None:
    state.lose_ray(WorkersLost("Ray has died"))
    assert state.stopping
    assert isinstance(state.error, WorkersLost)
