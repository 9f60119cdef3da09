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

from autokd.config.study import Objective
from autokd.core.pair_records import PairRecords
from autokd.core.records import TrialOrigin, TrialRecord, TrialState
from autokd.core.run_spec import RunSpec
from autokd.core.setting import DEFAULT, Pair, Setting, TransferSet
from autokd.execution import pace, search_queue
from autokd.search.eta import NOTHING, Load, epochs_of_a_trial, forecast, runs_of_a_confirmation
from autokd.search.next_work import PairSearch
from autokd.search.progress import Progress, work_left
from autokd.search.tpe import Sampler
from tests.search.worlds import Killed, World, record, report, tiny_plan


def test_by_runs_and_by_epochs_in_the_share_that_training_has() -> None:
    """Half of the runs are done, but a third of the epochs: 10 s more by runs, 20 s by epochs."""
    done, left = Load(20, 100), Load(20, 200)
    assert [forecast(done, left, seconds=10.0, training=share) for share in (0.0, 1.0, 0.75)] == [
        10,
        20,
        17.5,
    ]


def test_nothing_is_foretold_from_a_few_runs_and_nothing_left_takes_no_time() -> None:
    assert forecast(Load(4, 40), Load(20, 200), seconds=10.0, training=0.5) is None
    assert forecast(Load(8, 80), Load(20, 200), seconds=10.0, training=0.5) == pytest.approx(25.0)
    assert forecast(Load(4, 40), NOTHING, seconds=10.0, training=0.5) == 0


def test_runs_of_which_no_epoch_was_reported_still_take_time() -> None:
    assert forecast(Load(10, 0), Load(20, 200), seconds=10.0, training=0.5) == pytest.approx(20.0)


def trial(number: int, epochs: int, state: TrialState = TrialState.PRUNED) -> TrialRecord:
    curve = ((epochs, 0.5),) if epochs else ()
    return TrialRecord(
        number=number,
        setting=Setting(2.0, 0.5, DEFAULT.transfer_set),
        seed=0,
        role=TrialOrigin.SEARCH,
        state=state,
        curve=curve,
    )


def test_how_far_a_trial_gets() -> None:
    """Rungs 3, 6, 10, of which half go on: 3 + 3/2 + 4/4 = 5.5 epochs, with the weight of four trials."""
    config = tiny_plan()
    assert epochs_of_a_trial(config, []) == 5.5
    assert epochs_of_a_trial(config, [trial(number, 3) for number in range(1, 5)]) == (5.5 + 3) / 2
    # Those under way say nothing yet; those that could not be stopped say nothing of the others.
    assert epochs_of_a_trial(config, [trial(5, 3, TrialState.RUNNING)]) == 5.5
    # With budgets of 10 and 20: half of these go on to the end, 3 + 3/2 + 4/4 + 10/8.
    assert epochs_of_a_trial(config, [], (10, 20)) == (5.5 + 6.75) / 2
    graceful = tiny_plan(stopping={"rungs": (3, 6), "reduction": 2, "grace": 6})
    assert epochs_of_a_trial(graceful, [trial(5, 10, TrialState.COMPLETE)]) == 5.5


@pytest.mark.parametrize(("rule", "others"), [(2, 1), (3, 2)])
def test_of_a_confirmation_only_the_default_is_sure_to_have_the_recipes_budget(
    rule: int, others: int
) -> None:
    config = tiny_plan()
    search = PairSearch(PairRecords(pair=Pair(0, 1), study="s", rule=rule), closed=True)
    looks = config.confirmation.looks
    seeds = looks[len(looks) // 2]
    left = work_left(config, [[search]], (), (10, 20, 60))
    assert left == Load((1 + others) * seeds, seeds * (10 + 30 * others))


def test_how_many_runs_a_confirmation_takes() -> None:
    """Two candidates with one seed each, two seeds of winner and default: six; the default alone has two."""
    config = tiny_plan()
    assert runs_of_a_confirmation(config, [], with_race=True) == 6
    assert runs_of_a_confirmation(config, [], with_race=False) == 4
    assert runs_of_a_confirmation(config, [2, 2, 2, 2], with_race=True) == 4


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
        an_epoch: Seconds that an epoch takes.
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
        queue, epochs = self.world.queue, self.world.config.rungs
        if spec.stage is not None:
            yield self.a_run + self.an_epoch * epochs[-1]
            queue.end(key, replace(record(spec), seconds=self.an_epoch * epochs[-1]))
            return
        before = 0
        for rung in epochs:
            yield self.an_epoch * (rung - before) + (0 if before else self.a_run)
            rung_report, before = replace(report(spec, rung), seconds=self.an_epoch * rung), rung
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

    def __init__(self) -> None:
        self._random = Random(1)

    def suggest(self, name: str, trials: Sequence[TrialRecord]) -> Setting:
        sets = (TransferSet.STUDENT, TransferSet.TEACHER, TransferSet.BOTH)
        return Setting(2 ** self._random.uniform(-1, 4), self._random.random(), self._random.choice(sets))

    def role(self, name: str, setting: Setting) -> TrialOrigin:
        return TrialOrigin.SEARCH

    def learn(self, name: str, trial: TrialRecord) -> None:
        pass

    def prospects(self, name: str, trials: Sequence[TrialRecord], aims: Objective) -> None:
        return None

    def expected(self, name: str, trials: Sequence[TrialRecord], settings: Sequence[Setting]) -> None:
        return None


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
        world = World(tmp_path, config, meetings=MEETINGS[what], sampler=RandomSampler())
    seen = worked(Factory(world, clock, a_run=a_run, an_epoch=an_epoch))
    for share in (0.2, 0.4, 0.6):
        assert abs(wrong(seen, share)) < 0.25, share
    assert seen[-1].seconds_left == 0


def test_what_was_done_before_neither_counts_nor_is_counted_again(tmp_path: Path) -> None:
    """A command that goes on with a batch knows only its own pace."""
    config = tiny_plan(trials=24)
    clock = Clock()
    with patch.object(search_queue, "monotonic", clock), patch.object(pace, "monotonic", clock):
        world = World(tmp_path, config, meetings=MEETINGS["a batch"], sampler=RandomSampler())
        with pytest.raises(Killed):
            world.work(workers=2, reports=200)
        world.close()
        again = World(tmp_path, config, meetings=MEETINGS["a batch"], sampler=RandomSampler())
    seen = worked(Factory(again, clock))
    assert seen[0].seconds_left is None
    assert abs(wrong(seen, 0.2)) < 0.25
