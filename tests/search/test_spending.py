from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autokd.config.space import Space
from autokd.core.pair_records import PairRecords
from autokd.core.price import NOTHING, UNLIMITED, Load
from autokd.core.records import RunState, Stage, TrialState
from autokd.core.run_spec import RunSpec
from autokd.core.setting import Pair
from autokd.recommendation.interim_looks import OutOfBudget, Unfinished, judge_pair
from autokd.search.gp_sampler import GpSampler
from autokd.search.kernel import Task
from autokd.search.next_work import PairSearch
from autokd.search.spending import Budget, Spent, first_look, search_may_go_on, within, work_left
from autokd.search.study_names import study_name
from tests.search.worlds import OWN, World, costs, facts, features, open_space, tiny_plan

PAIRS = [Pair(0, 1), Pair(1, 0), Pair(2, 3), Pair(3, 2)]
MEETINGS = [PAIRS[:2], PAIRS[2:]]
PLAN = tiny_plan(trials=12, stopping={"rungs": [3, 6], "reduction": 2, "grace": 6})


def world(folder: Path, *, epochs: float | None) -> World:
    budget = None if epochs is None else Budget(epochs=epochs)
    return World(folder, PLAN, meetings=MEETINGS, rule=2, sampler=learner(), budget=budget)


def learner() -> GpSampler:
    studies = {study_name(facts().name, PLAN, open_space(), pair): pair for pair in PAIRS}
    return GpSampler(
        open_space(),
        tasks={study: Task("formula", pair, features(pair)) for study, pair in studies.items()},
        initial_accuracy=dict.fromkeys(studies, OWN),
        startup_trials=3,
        recipe=PLAN.distillation,
    )


def spent(world: World) -> int:
    trials = sum(trial.epochs for pair in PAIRS for trial in world.trials(pair))
    return trials + sum(run.epochs for pair in PAIRS for run in world.runs(pair))


@pytest.mark.parametrize("epochs", [120, 250, 400])
def test_a_budget_is_kept_and_each_pair_has_a_verdict_or_the_budget_is_named(
    tmp_path: Path, epochs: int
) -> None:
    limited = world(tmp_path, epochs=epochs)
    limited.work(workers=2)
    assert 0.8 * epochs <= spent(limited) <= epochs
    for pair in PAIRS:
        judged = judge_pair(PLAN, limited.facts, limited.records(pair))
        assert not isinstance(judged, Unfinished)
        assert any(trial.state is TrialState.COMPLETE for trial in limited.records(pair).baselines)
        if isinstance(judged, OutOfBudget):
            assert "budget" in judged.reason


@pytest.mark.parametrize("epochs", [300, 900])
def test_a_budget_is_kept_where_runs_may_be_four_times_as_long(tmp_path: Path, epochs: int) -> None:
    space = open_space(epochs="doubling").resolved(PLAN)
    limited = World(tmp_path, PLAN, meetings=MEETINGS, rule=2, space=space, budget=Budget(epochs=epochs))
    limited.work(workers=2)
    trials = [trial for pair in PAIRS for trial in limited.trials(pair)]
    assert {None} < {trial.setting.epochs for trial in trials} <= {None, 20, 40}
    assert 0.5 * epochs <= spent(limited) <= epochs


def test_a_larger_budget_goes_on_where_the_smaller_one_ended_and_ends_like_no_budget(tmp_path: Path) -> None:
    small = world(tmp_path, epochs=150)
    small.work(workers=2)
    assert spent(small) <= 150
    again = world(tmp_path, epochs=150)
    assert again.queue.finished, "the budget is for all commands together"
    larger = world(tmp_path, epochs=400)
    assert not larger.queue.finished
    larger.work(workers=2)
    assert 150 < spent(larger) <= 400
    whole = world(tmp_path, epochs=None)
    whole.work(workers=2)
    for pair in PAIRS:
        basis = whole.records(pair).basis
        assert basis is not None
        assert not isinstance(judge_pair(PLAN, whole.facts, whole.records(pair)), Unfinished | OutOfBudget)
        confirmed = [run for run in whole.runs(pair) if run.stage is Stage.CONFIRMATION]
        assert all(run.state is RunState.COMPLETE for run in confirmed)


def test_confirmations_come_after_all_searches(tmp_path: Path) -> None:
    limited = world(tmp_path, epochs=400)
    order: list[bool] = []
    begin = limited.queue.assign
    limited.queue.assign = lambda key: _noted(begin(key), order)  # type: ignore[method-assign]
    limited.work(workers=1)
    first_confirmation = order.index(True)
    assert not any(not late for late in order[first_confirmation:]), order


def _noted(spec: RunSpec | None, order: list[bool]) -> RunSpec | None:
    if spec is not None:
        order.append(spec.stage is not None)
    return spec


def test_time_is_turned_into_training_examples_by_the_pace() -> None:
    budget, spent = Budget(seconds=100), Load(5, 50, 5000)
    known = Spent(work=spent, seconds=60, per_second=2.0)
    assert work_left(budget, known) == Load(math.inf, math.inf, 80)
    assert work_left(budget, Spent(work=NOTHING, seconds=10, per_second=None)) == UNLIMITED
    assert work_left(budget, Spent(work=NOTHING, seconds=100, per_second=None)).examples == 0
    # What follows the last run is kept free, but never more than half of the time.
    assert work_left(budget, replace(known, ending=15)).examples == 50
    assert work_left(budget, Spent(NOTHING, seconds=20, per_second=2.0, ending=500)).examples == 60


def test_each_limit_counts_in_its_own_unit() -> None:
    spent = Spent(work=Load(5, 50, 5000), seconds=60, per_second=2.0)
    assert work_left(Budget(epochs=60), spent) == Load(math.inf, 10, math.inf)
    assert work_left(Budget(examples=5020), spent) == Load(math.inf, math.inf, 20)
    assert work_left(Budget(epochs=60, examples=5020, seconds=100), spent) == Load(math.inf, 10, 20)
    assert work_left(Budget(epochs=40, examples=4000), spent) == Load(math.inf, 0, 0)


def search_of(rule: int, space: Space | None = None, pair: Pair = PAIRS[0]) -> PairSearch:
    return PairSearch(PairRecords(pair=pair, study="s", rule=rule), costs(PLAN, pair, space))


@given(st.floats(0, 1_000_000), st.floats(0, 1_000_000))
def test_never_more_than_half_is_kept_for_confirmations(left: float, before: float) -> None:
    searches = [search_of(2, pair=pair) for pair in PAIRS * 20]
    may = search_may_go_on(PLAN, searches, left=Load(math.inf, math.inf, left), spent=Load(9, 90, before))
    largest = 200 * PLAN.rungs[-1]
    if left >= 0.5 * (left + before) + largest:
        assert may
    if left < largest:
        assert not may


@given(
    st.integers(1, 100),
    st.floats(0, 100_000, allow_subnormal=False),
    st.floats(0, 1000, allow_subnormal=False),
)
def test_what_a_limit_has_room_for_fits_it_and_is_all_of_what_fits(
    runs: int, examples: float, epochs: float
) -> None:
    work, limit = Load(runs, 10.0 * runs, 1000.0 * runs), Load(math.inf, epochs, examples)
    kept = within(work, limit)
    assert kept.epochs <= epochs * (1 + 1e-9)
    assert kept.examples <= examples * (1 + 1e-9)
    assert (kept == work) == work.fits(limit)


def test_a_pair_without_a_winner_needs_two_arms_in_its_first_look() -> None:
    """The default takes 10 epochs of the student's 100 examples, and the winner may train on both's 200."""
    seeds, long = PLAN.confirmation.looks[0], open_space(epochs=[10, 40])
    default, others = Load(1, 10, 1000), Load(1, 10, 2000)
    assert first_look(PLAN, search_of(2)) == (default + others) * seeds
    assert first_look(PLAN, search_of(2, long)) == (default + Load(1, 40, 8000)) * seeds


def test_by_rule_3_a_pair_without_a_winner_needs_three_arms_in_its_first_look() -> None:
    seeds = PLAN.confirmation.looks[0]
    assert first_look(PLAN, search_of(3)) == (Load(1, 10, 1000) + Load(2, 20, 4000)) * seeds
    # Where budgets are searched, a fourth: the default at its own.
    long = open_space(epochs=[10, 40])
    arms = Load(1, 10, 1000) + Load(2, 80, 16_000) + Load(1, 40, 4000)
    assert first_look(PLAN, search_of(3, long)) == arms * seeds


@pytest.mark.parametrize("examples", [30_000, 90_000])
def test_a_budget_in_training_examples_is_kept_where_sets_and_epochs_cost_differently(
    tmp_path: Path, examples: int
) -> None:
    space = open_space(epochs="doubling").resolved(PLAN)
    budget = Budget(examples=examples)
    limited = World(tmp_path, PLAN, meetings=MEETINGS, rule=3, space=space, budget=budget)
    limited.work(workers=2)
    work = sum((study.spent for study in limited.queue.progress().studies), NOTHING)
    assert 0.5 * examples <= work.examples <= examples
    assert work.examples > 1.1 * 100 * work.epochs, "both participants' data were trained on"
