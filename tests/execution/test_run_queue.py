"""Runs that are owed, on a real store; a run is a formula, and nothing starts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from autokd.core.records import Failure, RunState, Stage
from autokd.core.run_spec import RunFailure, RunSpec
from autokd.core.setting import AnyPair, Setting, TransferSet
from autokd.core.tensor_format import FORMER_FORMAT, TensorFormat
from autokd.execution.run_queue import FixedRunQueue, RunQueueProgress, Runs
from autokd.search.study_names import rivals_name
from autokd.store import Store
from tests.search.worlds import BACKWARD, FORWARD, Fate, Killed, lives, record, report, tiny_plan

NAMES: dict[AnyPair, str] = {
    pair: rivals_name("formula-00000000", tiny_plan(), pair) for pair in (FORWARD, BACKWARD)
}
HOT, COLD = Setting(4.0, 0.3, TransferSet.BOTH), Setting(1.0, 0.3, TransferSet.BOTH)
FIRST = [RunSpec(FORWARD, setting, 1000 + index, Stage.RACE) for index in range(2) for setting in (COLD, HOT)]
THEN = [RunSpec(FORWARD, HOT, 2000 + index, Stage.RIVAL) for index in range(2)]
ELSEWHERE = [RunSpec(BACKWARD, COLD, 2000 + index, Stage.RIVAL) for index in range(2)]


def wanted(runs: Runs) -> Sequence[RunSpec]:
    """Two settings race; the winner, known once all have run, runs again. Of the other pair no race."""
    raced = [run for run in runs[FORWARD] if run.stage is Stage.RACE and run.state is RunState.COMPLETE]
    return [*FIRST, *(THEN if len(raced) == len(FIRST) else ()), *ELSEWHERE]


EVERYTHING = [*FIRST, *THEN, *ELSEWHERE]


class Visit:
    """An world made anew on what the store has, as each call of the command makes one."""

    def __init__(self, store: Store, *, retries: int = 1) -> None:
        self._store = store
        self.told: list[RunQueueProgress] = []
        self.errands = FixedRunQueue(
            wanted=wanted, names=NAMES, retries=retries, store=store, listen=self.told.append
        )

    def work(self, *, fate: Fate = lives, ends: int | None = None, workers: int = 1) -> list[RunSpec]:
        """Serve until all is done; die with all that is live after `ends` runs."""
        handed_out: list[RunSpec] = []
        live: dict[str, RunSpec] = {}
        while not self.errands.finished:
            while len(live) < workers:
                assignment = self.errands.assign(f"run-{len(handed_out)}")
                if assignment is None:
                    break
                live[f"run-{len(handed_out)}"] = assignment
                handed_out.append(assignment)
            assert live, "nothing is live, nothing is handed out, and yet it is not finished"
            assert len(live) == self.errands.live
            if self.errands.ended == ends:
                raise Killed
            key = next(iter(live))
            ended = live.pop(key)
            self.errands.end(key, fate(ended) or record(ended))
        return handed_out

    def kept(self) -> list[RunSpec]:
        return [
            RunSpec.of(pair, run)
            for pair, name in NAMES.items()
            for run in self._store.runs(name)
            if run.state is RunState.COMPLETE
        ]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(f"sqlite:///{tmp_path / 'store.db'}") as opened:
        yield opened


@pytest.mark.parametrize("workers", [1, 3, 8])
def test_what_becomes_known_to_be_wanted_is_done_too_and_all_of_it_once(store: Store, workers: int) -> None:
    visit = Visit(store)
    assert sorted(visit.work(workers=workers), key=str) == sorted(EVERYTHING, key=str)
    assert sorted(visit.kept(), key=str) == sorted(EVERYTHING, key=str)
    again = Visit(store)
    assert again.errands.finished
    assert again.errands.assign("a") is None


@pytest.mark.parametrize("ends", range(len(EVERYTHING)))
def test_a_killed_office_is_followed_by_one_that_does_the_rest(store: Store, ends: int) -> None:
    with pytest.raises(Killed):
        Visit(store).work(ends=ends, workers=3)
    done = Visit(store).kept()
    assert len(done) == ends
    handed_out = Visit(store).work(workers=3)
    assert sorted([*done, *handed_out], key=str) == sorted(EVERYTHING, key=str)


def test_infrastructure_is_tried_again_up_to_the_bound_and_nothing_else_is(store: Store) -> None:
    def fate(spec: RunSpec) -> RunFailure | None:
        if spec.pair == BACKWARD:
            lost = spec.seed == 2000
            return RunFailure(Failure.INFRASTRUCTURE if lost else Failure.DIVERGED, "why")
        return None

    handed_out = Visit(store, retries=2).work(fate=fate)
    counts = [handed_out.count(spec) for spec in EVERYTHING]
    assert counts == [1] * 6 + [3, 1]
    assert {run.reason for run in store.runs(NAMES[BACKWARD])} == {"why"}
    assert Visit(store, retries=2).errands.finished


def test_interrupting_gives_back_what_is_live(store: Store) -> None:
    visit = Visit(store)
    handed_out = [visit.errands.assign(key) for key in ("a", "b")]
    visit.errands.interrupt("the command was interrupted")
    assert visit.errands.live == 0
    assert visit.work()[:2] == handed_out == EVERYTHING[:2]


def test_progress_grows_with_what_is_known(store: Store) -> None:
    visit = Visit(store)
    before = visit.errands.progress()
    assert (before.done, before.total, before.ended, before.seconds_left) == (0, 6, 0, None)
    visit.work()
    assert [(progress.done, progress.total) for progress in visit.told[2:5]] == [(3, 6), (4, 8), (5, 8)]
    assert visit.told[-1].seconds_left == 0


def test_the_time_left_is_that_of_the_pace_since_the_first_run_ended() -> None:
    assert RunQueueProgress(
        done=21, total=51, failed=0, ended=11, seconds=10.0
    ).seconds_left == pytest.approx(30.0)


def test_a_rung_is_not_what_such_a_run_says(store: Store) -> None:
    visit = Visit(store)
    assignment = visit.errands.assign("a")
    assert assignment is not None
    with pytest.raises(AssertionError, match="reported at epoch 3, as a trial would"):
        visit.errands.report("a", report(assignment, 3))


def test_a_failed_run_is_stored_with_the_tensor_format_of_its_pair(store: Store) -> None:
    half = TensorFormat("channels_last", "bfloat16")
    queue = FixedRunQueue(
        wanted=lambda runs: [*FIRST, *ELSEWHERE],
        names=NAMES,
        retries=0,
        store=store,
        tensor_formats={FORWARD: half},
    )
    number = 0
    while queue.assign(f"run-{number}") is not None:
        queue.end(f"run-{number}", RunFailure(Failure.ERROR, "a bug"))
        number += 1
    formats = {pair: {run.tensor_format for run in store.runs(name)} for pair, name in NAMES.items()}
    assert formats == {FORWARD: {half}, BACKWARD: {FORMER_FORMAT}}
