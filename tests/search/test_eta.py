"""The time that is left: by hand, and against runs whose time is a formula of a clock of their own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from heapq import heappop, heappush
from pathlib import Path
from random import Random
from typing import final
from unittest.mock import patch

import pytest

from autokd.config.objective import Objective
from autokd.config.search import rungs_of
from autokd.core.price import NOTHING, Load
from autokd.core.records import TrialOrigin, TrialRecord
from autokd.core.run_spec import RunSpec
from autokd.core.setting import Pair, Setting, TransferSet
from autokd.execution import pace, search_queue
from autokd.search.eta import forecast
from autokd.search.progress import Progress
from autokd.search.tpe import Sampler
from tests.search.worlds import Killed, World, open_space, record, report, tiny_plan


def test_by_runs_and_by_examples_in_the_share_that_training_has() -> None:
    """Half of the runs are done, but a third of the examples: 10 s more by runs, 20 s by examples."""
    done, left = Load(20, 100, 100), Load(20, 50, 200)
    assert [forecast(done, left, seconds=10.0, training=share) for share in (0.0, 1.0, 0.75)] == [
        10,
        20,
        17.5,
    ]


def test_nothing_is_foretold_from_a_few_runs_and_nothing_left_takes_no_time() -> None:
    assert forecast(Load(4, 40, 40), Load(20, 200, 200), seconds=10.0, training=0.5) is None
    assert forecast(Load(8, 80, 80), Load(20, 200, 200), seconds=10.0, training=0.5) == pytest.approx(25.0)
    assert forecast(Load(4, 40, 40), NOTHING, seconds=10.0, training=0.5) == 0


def test_runs_of_which_no_example_was_reported_still_take_time() -> None:
    assert forecast(Load(10, 0), Load(20, 200, 200), seconds=10.0, training=0.5) == pytest.approx(20.0)


@dataclass(slots=True)
class Clock:
    """Stands for `monotonic`."""

    now: float = 100.0

    def __call__(self) -> float:
        return self.now


@dataclass(slots=True)
class Factory:
    """Workers that take time by a formula, with one run more handed out than there are workers.

    Attributes:
        start: Seconds until the workers are there.
        a_run: Seconds that a run takes beyond its epochs.
        an_epoch: Seconds that 100 training examples take, the student's own.
    """

    world: World
    clock: Clock
    workers: int = 2
    start: float = 20.0
    a_run: float = 0.1
    an_epoch: float = 0.05
    seen: list[Progress] = field(default_factory=list)

    def work(self) -> None:
        queue, serial = self.world.queue, 0
        waiting: list[tuple[str, RunSpec]] = []
        busy: list[tuple[float, str, Iterator[float]]] = []
        self.clock.now += self.start
        while not queue.finished:
            while queue.live <= self.workers and (spec := queue.assign(f"{serial}")) is not None:
                waiting.append((f"{serial}", spec))
                serial += 1
            while waiting and len(busy) < self.workers:
                key, spec = waiting.pop(0)
                steps = self._steps(key, spec)
                heappush(busy, (self.clock.now + next(steps), key, steps))
            self.clock.now, key, steps = heappop(busy)
            if (seconds := next(steps, None)) is not None:
                heappush(busy, (self.clock.now + seconds, key, steps))
            self.seen.append(queue.progress())

    def _steps(self, key: str, spec: RunSpec) -> Iterator[float]:
        """Yield the seconds until each report of a run, and report in between."""
        queue, config = self.world.queue, self.world.config
        epochs = rungs_of(config.rungs, config.budget(spec.setting))
        sizes = {TransferSet.BOTH: 2.0, TransferSet.PUBLIC: 0.5}
        an_epoch = self.an_epoch * sizes.get(spec.setting.transfer_set, 1.0)
        if spec.stage is not None:
            yield self.a_run + an_epoch * epochs[-1]
            queue.end(key, replace(record(spec), seconds=an_epoch * epochs[-1]))
            return
        before = 0
        for rung in epochs:
            yield an_epoch * (rung - before) + (0 if before else self.a_run)
            rung_report, before = replace(report(spec, rung), seconds=an_epoch * rung), rung
            if rung == epochs[-1] or not queue.report(key, rung_report):
                queue.end(key, rung_report)
                return


def worked(factory: Factory) -> Sequence[Progress]:
    with (
        patch.object(search_queue, "monotonic", factory.clock),
        patch.object(pace, "monotonic", factory.clock),
    ):
        factory.work()
    return factory.seen


def wrong(seen: Sequence[Progress], share: float) -> float:
    """Return the relative error of the forecast after a share of the time; 0.1 is a tenth too long."""
    end, start = seen[-1].seconds, seen[-1].waited
    then = next(progress for progress in seen if progress.seconds - start >= share * (end - start))
    assert then.seconds_left is not None
    return then.seconds_left / (end - then.seconds) - 1


@final
class RandomSampler(Sampler):
    """Suggests random settings, which takes no time."""

    def __init__(self, epochs: Sequence[int | None] = (None,)) -> None:
        self._random, self._epochs = Random(1), epochs

    def suggest(self, name: str, trials: Sequence[TrialRecord]) -> Setting:
        sets = (TransferSet.STUDENT, TransferSet.TEACHER, TransferSet.BOTH)
        temperature, alpha = 2 ** self._random.uniform(-1, 4), self._random.random()
        setting = Setting(temperature, alpha, self._random.choice(sets))
        return replace(setting, epochs=self._random.choice(self._epochs))

    def role(self, name: str, setting: Setting) -> TrialOrigin:
        return TrialOrigin.SEARCH

    def learn(self, name: str, trial: TrialRecord) -> None:
        pass

    def prospects(self, name: str, trials: Sequence[TrialRecord], aims: Objective) -> None:
        return None

    def expected(self, name: str, trials: Sequence[TrialRecord], settings: Sequence[Setting]) -> None:
        return None


LABELLED = open_space(transfer_set=["student", "teacher", "both"])
MEETINGS = {
    "one pair": [[Pair(0, 1)]],
    "a meeting": [[Pair(0, 1), Pair(1, 0)]],
    "a batch": [[Pair(a, b), Pair(b, a)] for a in range(3) for b in range(a)],
}


@pytest.mark.parametrize("what", MEETINGS)
@pytest.mark.parametrize(("a_run", "an_epoch"), [(0.5, 0.01), (0.1, 0.05), (0.01, 0.5)])
def test_after_a_fifth_of_the_time_the_forecast_is_right_within_a_quarter(
    tmp_path: Path, what: str, a_run: float, an_epoch: float
) -> None:
    config = tiny_plan(trials=24, stopping={"rungs": (3, 6), "reduction": 2, "grace": 6})
    clock = Clock()
    with patch.object(search_queue, "monotonic", clock), patch.object(pace, "monotonic", clock):
        meetings, sampler = MEETINGS[what], RandomSampler()
        world = World(tmp_path, config, meetings=meetings, sampler=sampler, space=LABELLED)
    seen = worked(Factory(world, clock, a_run=a_run, an_epoch=an_epoch))
    for share in (0.2, 0.4, 0.6):
        assert abs(wrong(seen, share)) < 0.25, share
    assert seen[-1].seconds_left == 0


@pytest.mark.parametrize("rule", [1, 3])
@pytest.mark.parametrize(("a_run", "an_epoch"), [(0.1, 0.05), (0.01, 0.5)])
def test_the_forecast_is_right_where_sets_cost_differently_and_budgets_differ(
    tmp_path: Path, rule: int, a_run: float, an_epoch: float
) -> None:
    config = tiny_plan(trials=24, stopping={"rungs": (3, 6), "reduction": 2, "grace": 6})
    space = open_space(epochs=[10, 20, 40], transfer_set=["student", "teacher", "both"])
    clock, sampler = Clock(), RandomSampler((None, 20, 40))
    with patch.object(search_queue, "monotonic", clock), patch.object(pace, "monotonic", clock):
        meetings = MEETINGS["a batch"]
        world = World(tmp_path, config, meetings=meetings, sampler=sampler, space=space, rule=rule)
    seen = worked(Factory(world, clock, a_run=a_run, an_epoch=an_epoch))
    for share in (0.2, 0.4, 0.6):
        assert abs(wrong(seen, share)) < 0.35, share


def test_what_was_done_before_neither_counts_nor_is_counted_again(tmp_path: Path) -> None:
    """A command that goes on with a batch knows only its own pace."""
    config = tiny_plan(trials=24)
    clock = Clock()
    with patch.object(search_queue, "monotonic", clock), patch.object(pace, "monotonic", clock):
        world = World(tmp_path, config, meetings=MEETINGS["a batch"], sampler=RandomSampler(), space=LABELLED)
        with pytest.raises(Killed):
            world.work(workers=2, reports=200)
        world.close()
        again = World(tmp_path, config, meetings=MEETINGS["a batch"], sampler=RandomSampler(), space=LABELLED)
    seen = worked(Factory(again, clock))
    assert seen[0].seconds_left is None
    assert abs(wrong(seen, 0.2)) < 0.25
