from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import final

import pytest

from autokd.config.objective import Objective
from autokd.core.pair_records import PairRecords
from autokd.core.records import Failure, RunRecord, RunState, Stage, TrialOrigin, TrialRecord, TrialState
from autokd.core.run_spec import RunFailure
from autokd.core.setting import DEFAULT, AnyPair, Pair, Schedule, Setting, TransferSet
from autokd.core.tensor_format import TensorFormat
from autokd.search.gp_sampler import GpSampler
from autokd.search.kernel import Task
from autokd.search.progress import VerdictSummary
from autokd.search.study_names import study_name
from autokd.search.tpe import Tpe
from autokd.store import Store
from tests.search.worlds import (
    BACKWARD,
    FORWARD,
    OWN,
    Killed,
    World,
    diverges,
    facts,
    features,
    made,
    open_space,
    tiny_plan,
)


def test_a_meeting_runs_to_its_end_with_every_state_told_truly(tmp_path: Path) -> None:
    world = World(tmp_path, tiny_plan(trials=12))
    world.work(workers=2)
    both = [world.trials(FORWARD), world.trials(BACKWARD)]
    assert sum(len(trials) for trials in both) == 24
    assert min(len(trials) for trials in both) >= 6  # the floor
    for trials in both:
        baselines = [trial for trial in trials if trial.role is TrialOrigin.BASELINE]
        assert [(baseline.number, baseline.setting, baseline.state) for baseline in baselines] == [
            (0, DEFAULT, TrialState.COMPLETE)
        ]
        assert {trial.state for trial in trials} == {TrialState.COMPLETE, TrialState.PRUNED}
        for trial in trials:
            whole = tuple(epoch for epoch, _ in trial.curve) == (3, 6, 10)
            assert whole == (trial.state is TrialState.COMPLETE)
            assert trial.curve
    for pair in (FORWARD, BACKWARD):
        assert Counter(run.stage for run in world.runs(pair)) == {Stage.RACE: 2, Stage.CONFIRMATION: 4}


def test_the_better_direction_gets_more_of_the_budget(tmp_path: Path) -> None:
    """Teacher 1 is worth ten points more in these worlds."""
    world = World(tmp_path, tiny_plan(trials=12))
    world.work()
    assert len(world.trials(BACKWARD)) > len(world.trials(FORWARD))


def test_trials_and_failed_runs_are_stored_with_the_studys_tensor_format(tmp_path: Path) -> None:
    """The others are stored as their worker reports them."""
    half = TensorFormat("channels_last", "bfloat16")
    world = World(tmp_path, tiny_plan(), tensor_format=half)
    world.work(fate=lambda spec: None if spec.stage is None else RunFailure(Failure.ERROR, "a bug"))
    for pair in (FORWARD, BACKWARD):
        assert {trial.tensor_format for trial in world.trials(pair)} == {half}
        assert world.runs(pair)
        assert {run.tensor_format for run in world.runs(pair)} == {half}


def test_one_position_alone_gets_its_trials_and_nothing_else(tmp_path: Path) -> None:
    world = World(tmp_path, tiny_plan(), meetings=[[FORWARD]])
    world.work()
    assert len(world.trials(FORWARD)) == 6


def test_a_finished_study_gets_nothing_more_and_a_raised_number_extends_it(tmp_path: Path) -> None:
    first = World(tmp_path, tiny_plan())
    first.work()
    before = made(first.trials())
    again = World(tmp_path, tiny_plan())
    assert again.queue.finished
    more = World(tmp_path, tiny_plan(trials=9))
    assert not more.queue.finished
    more.work()
    total = sum(len(more.trials(pair)) for pair in (FORWARD, BACKWARD))
    assert total == 18
    assert made(more.trials())[: len(before)] == before


def test_budgets_double_up_to_the_largest_and_each_rung_is_reported(tmp_path: Path) -> None:
    """A trial has its own budget, the default setting the recipe's; longer ones may be stopped on the way."""
    config = tiny_plan(trials=12)
    space = open_space(epochs="doubling", schedule=["constant", "cosine"]).resolved(config)
    world = World(tmp_path, config, space=space)
    world.work(workers=2)
    trials = [trial for pair in (FORWARD, BACKWARD) for trial in world.trials(pair)]
    assert {trial.setting.epochs for trial in trials} == {None, 20, 40}
    assert {trial.setting.schedule for trial in trials} == {None, Schedule.COSINE}
    for trial in trials:
        budget = config.budget(trial.setting)
        reached = [epoch for epoch, _ in trial.curve]
        rungs = [epoch for epoch in (3, 6, 10, 20, 40) if epoch <= budget]
        assert reached == rungs[: len(reached)]
        assert (trial.state is TrialState.COMPLETE) == (reached == rungs)
    for pair in (FORWARD, BACKWARD):
        assert world.trials(pair)[0].setting == DEFAULT
        assert world.trials(pair)[0].epochs == 10
        assert {run.epochs for run in world.runs(pair)} == {
            config.budget(run.setting) for run in world.runs(pair)
        }
    progress = world.queue.progress()
    # Of the grid's settings 24 are on each of three sets, of 100, 100 and 200 examples, and 4 on 50.
    assert (progress.sweep_budget, progress.sweep_examples) == (40, 2 * 40 * (24 * 400 + 4 * 50))
    spent = sum(world.queue.progress().studies[place].spent.examples for place in (0, 1))
    sizes = {"student": 100, "teacher": 100, "both": 200, "public": 50}
    runs = (*world.runs(FORWARD), *world.runs(BACKWARD))
    counted = sum(trial.epochs * sizes[trial.setting.transfer_set] for trial in trials)
    counted += sum(run.epochs * sizes[run.setting.transfer_set] for run in runs)
    assert spent == counted == progress.examples
    long = [trial for trial in trials if config.budget(trial.setting) > 10]
    assert {trial.state for trial in long} == {TrialState.PRUNED, TrialState.COMPLETE}


@pytest.mark.parametrize("budgets", [{}, {"epochs": "doubling", "schedule": ["constant", "cosine"]}])
def test_killed_after_any_report_it_ends_as_if_it_had_not_been(
    tmp_path: Path, budgets: Mapping[str, object]
) -> None:
    meetings = [[FORWARD]]
    config = tiny_plan(trials=4)
    space = open_space(**budgets).resolved(config)
    whole = World(tmp_path, config, meetings=meetings, space=space)
    reports = whole.work()
    expected = made(whole.trials())
    for after in range(reports):
        folder = tmp_path / str(after)
        folder.mkdir()
        killed = World(folder, config, meetings=meetings, space=space)
        with pytest.raises(Killed):
            killed.work(reports=after)
        killed.close()
        resumed = World(folder, config, meetings=meetings, space=space)
        resumed.work()
        assert made(resumed.trials()) == expected, after
        assert not [trial for trial in resumed.trials() if trial.state is TrialState.RUNNING]
        # A kill between runs leaves nothing to mark; one within a trial marks that one.
        failures = [trial.failure for trial in resumed.trials() if trial.state is TrialState.FAIL]
        assert failures in ([], [Failure.INTERRUPTED])
        keys = [(run.stage, run.setting, run.seed) for run in resumed.runs()]
        assert sorted(keys, key=str) == sorted(
            [(run.stage, run.setting, run.seed) for run in whole.runs()], key=str
        )
        resumed.close()


def test_what_it_has_learned_from_other_pairs_is_there_again_after_a_kill(tmp_path: Path) -> None:
    pairs = [Pair(0, 1), Pair(2, 1), Pair(0, 3)]
    config, space = tiny_plan(trials=5), open_space()

    def world(folder: Path) -> World:
        folder.mkdir(exist_ok=True)
        names = {study_name(facts().name, config, space, pair): pair for pair in pairs}
        learner = GpSampler(
            space,
            tasks={name: Task(facts().name, pair, features(pair)) for name, pair in names.items()},
            initial_accuracy=dict.fromkeys(names, OWN),
            startup_trials=3,
            recipe=config.distillation,
        )
        return World(folder, config, meetings=[[pair] for pair in pairs], space=space, sampler=learner)

    whole = world(tmp_path / "whole")
    reports = whole.work()
    expected = [made(whole.trials(pair)) for pair in pairs]
    for after in range(1, reports, 7):
        killed = world(tmp_path / str(after))
        with pytest.raises(Killed):
            killed.work(reports=after)
        killed.close()
        resumed = world(tmp_path / str(after))
        resumed.work()
        assert [made(resumed.trials(pair)) for pair in pairs] == expected, after
        resumed.close()


BEYOND = Setting(64.0, 0.95, TransferSet.TEACHER)
"""Outside of the space, and bad: early stopping would end it."""
BETTER = Setting(4.0, 0.3, TransferSet.BOTH)


def test_what_the_user_asked_for_runs_to_its_end_in_each_pair_and_survives_a_kill(tmp_path: Path) -> None:
    config = tiny_plan(trials=4).with_asked([BEYOND, BETTER])
    whole = World(tmp_path, config)
    reports = whole.work()
    for pair in (FORWARD, BACKWARD):
        trials = whole.trials(pair)
        asked = [trial for trial in trials if trial.role is TrialOrigin.ASKED]
        assert [trial.setting for trial in asked] == [BEYOND, BETTER]
        assert [trial.number for trial in asked] == [1, 2]
        assert {trial.state for trial in asked} == {TrialState.COMPLETE}
    assert sum(len(whole.trials(pair)) for pair in (FORWARD, BACKWARD)) == 8
    for after in range(1, reports, 5):
        folder = tmp_path / str(after)
        folder.mkdir()
        killed = World(folder, config)
        with pytest.raises(Killed):
            killed.work(reports=after)
        killed.close()
        resumed = World(folder, config)
        resumed.work()
        for pair in (FORWARD, BACKWARD):
            assert made(resumed.trials(pair)) == made(whole.trials(pair)), after
        resumed.close()


def test_a_pair_that_is_over_runs_what_is_asked_for_and_is_judged_again(tmp_path: Path) -> None:
    judged: list[PairRecords] = []

    def conclude(over: Sequence[PairRecords]) -> Mapping[AnyPair, VerdictSummary]:
        judged.extend(over)
        return {}

    narrow = open_space(temperature=[1, 2], alpha=[0.9], transfer_set=["student"])
    first = World(tmp_path, tiny_plan(trials=3), meetings=[[FORWARD]], space=narrow)
    first.work()
    before, confirmed = first.trials(), len(first.runs())
    config = tiny_plan(trials=3).with_asked([BETTER])
    again = World(tmp_path, config, meetings=[[FORWARD]], space=narrow, conclude=conclude)
    assert not again.queue.finished
    assert again.queue.progress().left > 0
    again.work()
    assert again.trials()[: len(before)] == before
    (asked,) = again.trials()[len(before) :]
    assert (asked.setting, asked.role, asked.state) == (BETTER, TrialOrigin.ASKED, TrialState.COMPLETE)
    # It is the best by far, so it is raced and confirmed.
    assert {run.setting for run in again.runs()[confirmed:]} == {BETTER}
    assert [records.trials[-1].setting for records in judged] == [BETTER]
    assert World(tmp_path, config, meetings=[[FORWARD]], space=narrow).queue.finished


def test_a_diverged_trial_is_recorded_and_not_repeated(tmp_path: Path) -> None:
    world = World(tmp_path, tiny_plan(trials=10))
    world.work(fate=diverges(lambda setting: setting.temperature > 2))
    for pair in (FORWARD, BACKWARD):
        trials = world.trials(pair)
        died = [trial for trial in trials if trial.state is TrialState.FAIL]
        assert died
        assert {(trial.failure, trial.reason) for trial in died} == {(Failure.DIVERGED, "loss became nan")}
        assert len({trial.setting for trial in trials}) == len(trials)


def test_a_default_that_diverges_ends_its_study_and_not_the_other(tmp_path: Path) -> None:
    world = World(tmp_path, tiny_plan())

    def fate(spec: object) -> RunFailure | None:
        mine = getattr(spec, "pair", None) == FORWARD and getattr(spec, "setting", None) == DEFAULT
        return RunFailure(Failure.DIVERGED, "loss became inf") if mine else None

    world.work(fate=fate)
    forward = world.trials(FORWARD)
    assert [trial.state for trial in forward if trial.role is TrialOrigin.BASELINE] == [TrialState.FAIL]
    assert not world.runs(FORWARD)
    assert len(world.trials(BACKWARD)) == 6
    assert world.runs(BACKWARD)


@pytest.mark.parametrize("failure", [Failure.INFRASTRUCTURE, Failure.OUT_OF_MEMORY])
def test_infrastructure_is_retried_up_to_the_bound(tmp_path: Path, failure: Failure) -> None:
    world = World(tmp_path, tiny_plan(retries=2), meetings=[[FORWARD]])
    world.work(fate=lambda spec: RunFailure(failure, "gone") if spec.seed == 0 else None)
    baselines = [trial for trial in world.trials() if trial.role is TrialOrigin.BASELINE]
    assert [trial.state for trial in baselines] == [TrialState.FAIL] * 3
    assert [trial.number for trial in world.trials()] == [0, 1, 2]  # nothing else is worth trying


def test_a_baseline_that_dies_once_is_retried_so_that_there_is_exactly_one(tmp_path: Path) -> None:
    world = World(tmp_path, tiny_plan(), meetings=[[FORWARD]])
    deaths = iter([RunFailure(Failure.INFRASTRUCTURE, "worker lost")])
    world.work(fate=lambda spec: next(deaths, None) if spec.setting == DEFAULT else None)
    baselines = [trial.state for trial in world.trials() if trial.role is TrialOrigin.BASELINE]
    assert baselines == [TrialState.FAIL, TrialState.COMPLETE]
    assert len(made(world.trials())) == 6


def test_a_grid_ends_when_every_setting_was_tried(tmp_path: Path) -> None:
    grid = open_space(temperature=[1, 4], alpha=[0.3], transfer_set=["both"])
    world = World(tmp_path, tiny_plan(), meetings=[[FORWARD]], space=grid)
    world.work()
    tried = [trial.setting for trial in world.trials() if trial.role is TrialOrigin.SEARCH]
    assert sorted(tried, key=str) == sorted(grid.grid(), key=str)
    assert world.runs()


def test_interrupting_marks_what_is_under_way_and_nothing_else(tmp_path: Path) -> None:
    world = World(tmp_path, tiny_plan())
    handed_out = [world.queue.assign(key) for key in ("a", "b")]
    assert all(handed_out)
    world.queue.interrupt("the command was interrupted")
    assert world.queue.live == 0
    trials = [trial for pair in (FORWARD, BACKWARD) for trial in world.trials(pair)]
    assert {(trial.state, trial.failure) for trial in trials} == {(TrialState.FAIL, Failure.INTERRUPTED)}


def test_progress_counts_down_to_nothing(tmp_path: Path) -> None:
    world = World(tmp_path, tiny_plan())
    before = world.queue.progress()
    assert (before.left, before.ended, before.seconds_left) == (12 + 2 * (2 + 4), 0, None)
    world.work()
    after = world.queue.progress()
    assert (after.left, after.live, after.seconds_left) == (0, 0, 0.0)
    assert after.ended == sum(len(world.trials(pair)) + len(world.runs(pair)) for pair in world.names)
    for study in after.studies:
        assert study.baseline is not None
        assert study.best is not None
        assert study.best[0] >= study.baseline


@final
class Attentive:
    """Proposes as TPE does, and keeps what it was shown."""

    def __init__(self) -> None:
        self.shown: list[tuple[str, TrialRecord]] = []

    def suggest(self, study: str, trials: Sequence[TrialRecord]) -> Setting | None:
        return Tpe(open_space(), startup_trials=3).suggest(study, trials)

    def role(self, study: str, setting: Setting) -> TrialOrigin:
        return TrialOrigin.TRANSFERRED

    def learn(self, study: str, trial: TrialRecord) -> None:
        self.shown.append((study, trial))

    def prospects(self, study: str, trials: Sequence[TrialRecord], aims: Objective) -> None:
        return None

    def expected(self, study: str, trials: Sequence[TrialRecord], settings: Sequence[Setting]) -> None:
        return None


def in_the_store(world: World) -> list[tuple[str, TrialRecord]]:
    return [(name, trial) for pair, name in world.names.items() for trial in world.trials(pair)]


def in_order(shown: list[tuple[str, TrialRecord]]) -> list[tuple[str, TrialRecord]]:
    return sorted(shown, key=lambda entry: (entry[0], entry[1].number))


def test_who_proposes_is_shown_once_how_each_trial_ended(tmp_path: Path) -> None:
    sampler = Attentive()
    world = World(tmp_path, tiny_plan(trials=10), sampler=sampler)
    world.work(workers=2, fate=diverges(lambda setting: setting.temperature > 8))
    assert in_order(sampler.shown) == in_order(in_the_store(world))
    assert {trial.state for _, trial in sampler.shown} == set(TrialState) - {TrialState.RUNNING}
    # It says of all that it proposed that other pairs had a say; the default was not its choice.
    roles = {trial.setting == DEFAULT: trial.role for _, trial in sampler.shown}
    assert roles == {True: TrialOrigin.BASELINE, False: TrialOrigin.TRANSFERRED}


def test_and_those_that_a_driver_before_had_left_too(tmp_path: Path) -> None:
    with pytest.raises(Killed):
        World(tmp_path, tiny_plan()).work(workers=2, reports=12)
    sampler = Attentive()
    world = World(tmp_path, tiny_plan(), sampler=sampler)
    left = list(sampler.shown)
    assert in_order(left) == in_order(in_the_store(world))
    assert {trial.failure for _, trial in left} == {None, Failure.INTERRUPTED}
    world.work()
    assert in_order(sampler.shown) == in_order(in_the_store(world))
    assert len(sampler.shown) > len(left)


def test_a_meeting_is_judged_from_records_that_are_equal_to_the_stored_ones(tmp_path: Path) -> None:
    with pytest.raises(Killed):
        World(tmp_path, tiny_plan()).work(workers=2, reports=12)
    judged: list[PairRecords] = []

    def conclude(over: Sequence[PairRecords]) -> Mapping[AnyPair, VerdictSummary]:
        judged.extend(over)
        return {}

    world = World(tmp_path, tiny_plan(trials=10), conclude=conclude)
    long = RunFailure(Failure.DIVERGED, "loss became nan " * 1000)
    world.work(
        workers=2,
        fate=lambda spec: long if spec.setting.temperature > 8 or spec.stage is Stage.CONFIRMATION else None,
    )
    assert [records.pair for records in judged] == [FORWARD, BACKWARD]
    for records in judged:
        stored = world.records(records.pair)
        assert records.study == stored.study
        assert tuple(records.trials) == tuple(stored.trials)
        assert {trial.state for trial in records.trials} == set(TrialState) - {TrialState.RUNNING}
        assert [plain(run) for run in records.runs] == [plain(run) for run in stored.runs]
        assert {run.state for run in records.runs} == set(RunState)


def plain(run: RunRecord) -> dict[str, object]:
    correct = {split: right.tolist() for split, right in run.correct.items()}
    return {**{field.name: getattr(run, field.name) for field in fields(run)}, "correct": correct}


def test_a_meeting_that_is_over_is_let_go_and_the_others_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone: list[tuple[str, set[TrialState]]] = []

    def noted(store: Store, study: str) -> None:
        gone.append((study, {trial.state for trial in store.trials(study)}))

    def prepare(store: Store, studies: Collection[str]) -> None:
        store.leases.acquire(studies)
        monkeypatch.setattr(Store, "evict", noted)

    world = World(tmp_path, tiny_plan(), meetings=[[FORWARD, BACKWARD], [Pair(2, 3)]], prepare=prepare)
    world.work(workers=2)
    assert [study for study, _ in gone] == [world.names[pair] for pair in (FORWARD, BACKWARD, Pair(2, 3))]
    assert not any(TrialState.RUNNING in states for _, states in gone)
