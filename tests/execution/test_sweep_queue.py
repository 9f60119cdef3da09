"""Sweeps on a real store; a run is a formula, and nothing starts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from autokd.core.price import Load, Prices
from autokd.core.records import Failure, RunState, Stage
from autokd.core.run_spec import RunFailure, RunSpec
from autokd.core.setting import AnyPair, Pair, Setting
from autokd.execution import pace
from autokd.execution.run_queue import FixedRunQueue, RunQueueProgress
from autokd.search.study_names import sweep_name
from autokd.store import Store
from tests.search.worlds import (
    BACKWARD,
    FORWARD,
    Fate,
    Killed,
    lives,
    open_space,
    record,
    report,
    tiny_plan,
)

PAIRS = (FORWARD, BACKWARD, Pair(2, 1))
GRID = open_space(temperature=[1, 4], alpha=[0.3], transfer_set=["both", "public"]).grid()
NAMES: dict[AnyPair, str] = {pair: sweep_name("formula-00000000", tiny_plan(), pair) for pair in PAIRS}


def everything(seeds: int) -> list[RunSpec]:
    return [
        RunSpec(pair, setting, seed, Stage.SWEEP)
        for seed in range(seeds)
        for pair in PAIRS
        for setting in GRID
    ]


class Sweep:
    """A sweeper made anew on what the store has, as each call of the command makes one."""

    def __init__(
        self, store: Store, *, seeds: int = 2, retries: int = 1, grid: Sequence[Setting] = GRID
    ) -> None:
        self._store = store
        self.told: list[RunQueueProgress] = []
        self.sweeper = FixedRunQueue.of_sweep(
            grid=grid, names=NAMES, seeds=seeds, retries=retries, store=store, listen=self.told.append
        )

    def work(self, *, fate: Fate = lives, ends: int | None = None, workers: int = 1) -> list[RunSpec]:
        """Serve until all is done.

        Args:
            fate: Which runs die.
            ends: Die with all that is live after so many runs have ended.
            workers: How many runs at once; they end in turn.

        Returns:
            All that was handed out, in order.

        Raises:
            Killed: After `ends`.
        """
        handed_out: list[RunSpec] = []
        live: dict[str, RunSpec] = {}
        while not self.sweeper.finished:
            while len(live) < workers:
                key = f"run-{len(handed_out)}"
                spec = self.sweeper.assign(key)
                if spec is None:
                    break
                live[key] = spec
                handed_out.append(spec)
            assert live, "nothing is live, nothing is handed out, and yet it is not finished"
            assert len(live) == self.sweeper.live
            if self.sweeper.ended == ends:
                raise Killed
            key = next(iter(live))
            ended = live.pop(key)
            self.sweeper.end(key, fate(ended) or record(ended))
        return handed_out

    def kept(self, state: RunState = RunState.COMPLETE) -> list[RunSpec]:
        """What the store has, by pair."""
        return [
            RunSpec(pair, run.setting, run.seed, run.stage)
            for pair, name in NAMES.items()
            for run in self._store.runs(name)
            if run.state is state
        ]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(f"sqlite:///{tmp_path / 'store.db'}") as opened:
        yield opened


def test_everything_is_run_once_and_all_pairs_with_one_seed_before_the_next(store: Store) -> None:
    sweep = Sweep(store)
    assert sweep.work() == everything(2)
    assert sorted(sweep.kept(), key=str) == sorted(everything(2), key=str)
    for pair, name in NAMES.items():
        for run in store.runs(name):
            spec = RunSpec(pair, run.setting, run.seed, run.stage)
            assert run.curve == record(spec).curve
            assert run.curve[-1].epoch == 10


def test_what_the_store_has_is_not_run_again(store: Store) -> None:
    Sweep(store).work()
    again = Sweep(store)
    assert again.sweeper.finished
    assert again.sweeper.assign("a") is None
    now = again.sweeper.progress()
    assert (now.done, now.total, now.failed, now.ended) == (24, 24, 0, 0)


@pytest.mark.parametrize("ends", range(0, 24, 4))
def test_a_killed_sweeper_is_followed_by_one_that_does_the_rest(store: Store, ends: int) -> None:
    with pytest.raises(Killed):
        Sweep(store).work(ends=ends, workers=3)
    left = [spec for spec in everything(2) if spec not in Sweep(store).kept()]
    assert len(left) == 24 - ends
    successor = Sweep(store)
    assert successor.work(workers=3) == left
    assert sorted(successor.kept(), key=str) == sorted(everything(2), key=str)


def test_more_seeds_extend_a_sweep(store: Store) -> None:
    Sweep(store, seeds=1).work()
    more = Sweep(store, seeds=3)
    assert more.sweeper.progress().done == 12
    assert more.work() == everything(3)[12:]


def test_of_another_grid_only_what_is_new_is_run(store: Store) -> None:
    Sweep(store, seeds=1, grid=GRID[:3]).work()
    other = Sweep(store, seeds=1, grid=GRID[1:])
    assert other.sweeper.progress().total == 9
    assert other.work() == [RunSpec(pair, GRID[3], 0, Stage.SWEEP) for pair in PAIRS]


@pytest.mark.parametrize("failure", [Failure.INFRASTRUCTURE, Failure.OUT_OF_MEMORY])
def test_infrastructure_is_tried_again_at_the_end_of_the_queue_up_to_the_bound(
    store: Store, failure: Failure
) -> None:
    unlucky = everything(2)[1]
    sweep = Sweep(store, retries=2)
    handed_out = sweep.work(fate=lambda spec: RunFailure(failure, "gone") if spec == unlucky else None)
    assert handed_out == [*everything(2), unlucky, unlucky]
    assert sweep.kept(RunState.FAIL) == [unlucky] * 3
    assert (sweep.sweeper.failed, sweep.sweeper.progress().done) == (1, 24)
    again = Sweep(store, retries=2)
    assert again.sweeper.finished
    assert again.sweeper.failed == 1
    assert Sweep(store, retries=3).work() == [unlucky]


def test_a_run_that_dies_once_is_made_up_for_and_no_failure(store: Store) -> None:
    deaths = iter([RunFailure(Failure.INFRASTRUCTURE, "worker lost")])
    sweep = Sweep(store)
    assert sweep.work(fate=lambda spec: next(deaths, None)) == [*everything(2), everything(2)[0]]
    assert sweep.sweeper.failed == 0
    assert sorted(sweep.kept(), key=str) == sorted(everything(2), key=str)


def test_tries_before_a_kill_count(store: Store) -> None:
    def gone(spec: RunSpec) -> RunFailure | None:
        return RunFailure(Failure.INFRASTRUCTURE, "gone") if spec == everything(2)[0] else None

    with pytest.raises(Killed):
        Sweep(store, retries=1).work(fate=gone, ends=1)
    successor = Sweep(store, retries=1)
    assert successor.work(fate=gone).count(everything(2)[0]) == 1
    assert successor.sweeper.failed == 1


@pytest.mark.parametrize("failure", [Failure.DIVERGED, Failure.ERROR])
def test_what_would_come_again_is_not_tried_again(store: Store, failure: Failure) -> None:
    sweep = Sweep(store)
    hot = [spec for spec in everything(2) if spec.setting.temperature > 2]
    assert sweep.work(fate=lambda spec: RunFailure(failure, "why") if spec in hot else None) == everything(2)
    assert sorted(sweep.kept(RunState.FAIL), key=str) == sorted(hot, key=str)
    reasons = {(run.failure, run.reason) for run in store.runs(NAMES[FORWARD]) if run.failure}
    assert reasons == {(failure, "why")}
    assert sweep.sweeper.failed == sweep.told[-1].failed == len(hot)
    again = Sweep(store)
    assert again.sweeper.finished
    assert again.sweeper.failed == len(hot)


def test_interrupting_gives_back_what_is_live(store: Store) -> None:
    sweep = Sweep(store)
    handed_out = {sweep.sweeper.assign(key) for key in ("a", "b")}
    sweep.sweeper.interrupt("the command was interrupted")
    assert (sweep.sweeper.live, sweep.sweeper.progress().done) == (0, 0)
    assert not sweep.kept(RunState.FAIL)
    assert handed_out == set(everything(2)[:2])
    assert set(sweep.work()[:2]) == handed_out
    assert sorted(sweep.kept(), key=str) == sorted(everything(2), key=str)


def test_progress_is_told_after_each_run(store: Store) -> None:
    sweep = Sweep(store)
    before = sweep.sweeper.progress()
    assert (before.done, before.total, before.failed, before.ended) == (0, 24, 0, 0)
    assert before.seconds_left is None
    sweep.work(workers=2)
    assert [(progress.done, progress.ended) for progress in sweep.told] == [
        (number, number) for number in range(1, 25)
    ]
    assert sweep.told[0].seconds_left is None
    assert sweep.told[-1].seconds_left == 0


def test_a_run_that_is_to_be_tried_again_is_not_done(store: Store) -> None:
    sweep = Sweep(store)
    sweep.sweeper.assign("a")
    sweep.sweeper.end("a", RunFailure(Failure.INFRASTRUCTURE, "gone"))
    (progress,) = sweep.told
    assert (progress.done, progress.failed, progress.ended) == (0, 0, 1)


def test_the_time_left_is_that_of_the_pace_since_the_first_run_ended() -> None:
    """The first run ended; in the ten seconds since then ten more have: one a second."""
    progress = RunQueueProgress(done=21, total=51, failed=0, ended=11, seconds=10.0)
    assert progress.seconds_left == pytest.approx(30.0)
    assert RunQueueProgress(done=1, total=51, failed=0, ended=1, seconds=0.1).seconds_left is None


def test_the_start_of_workers_does_not_count(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(pace, "monotonic", lambda: now[0])
    sweep = Sweep(store)
    for second in range(20, 26):
        now[0] = float(second)
        spec = sweep.sweeper.assign(str(second))
        assert spec is not None
        sweep.sweeper.end(str(second), record(spec))
    assert [progress.seconds for progress in sweep.told] == [0, 1, 2, 3, 4, 5]
    assert sweep.told[-1].seconds_left == pytest.approx(18.0)


def test_the_time_left_counts_training_examples_where_prices_are_known(store: Store) -> None:
    """Half of the runs are done, but those on the larger set of examples are still to come."""
    prices = Prices(student=100, teacher=200, public=50, validation=9, epochs=10)
    sweeper = FixedRunQueue.of_sweep(
        grid=GRID, names=NAMES, seeds=1, retries=1, store=store, prices=dict.fromkeys(PAIRS, prices)
    )
    left = sweeper.progress().left
    assert left == Load(12, 120, 6 * 10 * (300 + 50))
    spec = sweeper.assign("a")
    assert spec is not None
    assert sweeper.progress().left == left
    sweeper.end("a", record(spec))
    assert sweeper.progress().left == left - prices.load(spec.setting)
    half = RunQueueProgress(
        done=12, total=22, failed=0, ended=11, seconds=10.0, pace=Load(10, 0, 500), left=Load(10, 0, 3000)
    )
    assert half.seconds_left == pytest.approx(10.0)
    assert replace(half, training=1.0).seconds_left == pytest.approx(60.0)


def test_a_rung_is_not_what_a_swept_run_says(store: Store) -> None:
    sweep = Sweep(store)
    spec = sweep.sweeper.assign("a")
    assert spec is not None
    with pytest.raises(AssertionError, match="reported at epoch 3, as a trial would"):
        sweep.sweeper.report("a", report(spec, 3))
