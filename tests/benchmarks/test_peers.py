"""What is pure of the contest with other libraries; their own environment is not needed here."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from autokd.core.setting import Pair
from benchmarks.peers.problem import (
    Answers,
    Order,
    Problem,
    Setting,
    Step,
    read_answers,
    read_orders,
    write_answers,
    write_orders,
)
from benchmarks.peers.replay import Wish, answer, search
from benchmarks.simulation.contest import (
    batch_orders,
    meeting_points,
    newcomer_orders,
    points,
    problem,
    searched,
)
from benchmarks.simulation.differences import difference, judged
from benchmarks.simulation.measure import cost, single_meetings, yardstick
from benchmarks.simulation.replay import Ran
from benchmarks.simulation.scenarios import meetings
from benchmarks.simulation.stock import Stock
from benchmarks.simulation.table import Table, load


@pytest.fixture(scope="module")
def table() -> Table:
    return load("digits")


SMALL = Problem(
    settings=(Setting(1.0, 0.5, "student"), Setting(2.0, 0.5, "both"), Setting(1.0, None, "public")),
    default=0,
    rungs=(1, 4, 10),
    accuracy=np.array([[[[0.1, 0.2, 0.3]], [[0.2, 0.4, 0.6]], [[0.1, np.nan, np.nan]]]] * 2),
)


class Script:
    """Wishes for what it was given, stops what it is told to, and remembers what it heard."""

    def __init__(self, wishes: list[Wish], stops: Mapping[int, int] | None = None) -> None:
        self._wishes, self._stops = wishes, stops or {}
        self.heard: list[tuple[int, int, float | None]] = []
        self.default: Mapping[int, float] = {}

    def begin(self, curve: Mapping[int, float]) -> None:
        self.default = curve

    def ask(self, trial: int) -> Wish | None:
        return self._wishes[trial] if trial < len(self._wishes) else None

    def report(self, trial: int, epoch: int, accuracy: float) -> bool:
        return self._stops.get(trial) != epoch

    def end(self, trial: int, epoch: int, accuracy: float | None) -> None:
        self.heard.append((trial, epoch, accuracy))


def steps_of(peer: Script, budget: int = 100) -> list[Step]:
    return search(SMALL, SMALL.curves(0, 0), peer, budget)


def test_the_default_runs_first_and_is_paid_for() -> None:
    peer = Script([])
    assert steps_of(peer) == [Step(0, 10, whole=True)]
    assert peer.default == {1: 0.1, 4: 0.2, 10: 0.3}


def test_a_stopped_trial_costs_the_epochs_until_then_and_later_only_the_rest() -> None:
    peer = Script([Wish(1, 10), Wish(1, 4), Wish(1, 10)], stops={0: 1})
    steps = steps_of(peer)
    assert sorted(step.epochs for step in steps[1:]) == [1, 3, 6]
    assert sum(step.epochs for step in steps) == 20
    assert [step.whole for step in steps].count(True) == 2
    assert (0, 1, 0.2) in peer.heard


def test_a_setting_asked_for_again_is_free_and_answered_alike() -> None:
    peer = Script([Wish(1, 10), Wish(0, 10), Wish(1, 10)])
    assert sum(step.epochs for step in steps_of(peer)) == 20
    assert {(0, 10, 0.6), (1, 10, 0.3), (2, 10, 0.6)} == set(peer.heard)


def test_a_run_that_diverged_is_no_answer() -> None:
    peer = Script([Wish(2, 10)])
    assert steps_of(peer)[1] == Step(2, 4, whole=False)
    assert peer.heard == [(0, 4, None)]


def test_a_peer_that_repeats_itself_for_ever_is_let_go_and_a_budget_ends_a_search() -> None:
    assert len(steps_of(Script([Wish(0, 10)] * 100_000))) < 200
    assert len(steps_of(Script([Wish(1, 10)]), budget=10)) == 1


def test_files_hold_what_was_written(tmp_path: Path) -> None:
    file = tmp_path / "file.npz"
    SMALL.save(file)
    again = Problem.load(file)
    assert (again.settings, again.default, again.rungs) == (SMALL.settings, SMALL.default, SMALL.rungs)
    np.testing.assert_array_equal(again.accuracy, SMALL.accuracy)
    orders = [Order(seed=3, answers=1, pairs=(1, 2), budget=20, known={4: (0, 2)}, hands_on=True)]
    write_orders(file, orders)
    assert read_orders(file) == orders
    answers = Answers(steps=[[[Step(1, 10, whole=True)]]], versions={"peer": "1"}, seconds=1.5)
    write_answers(file, answers)
    assert read_answers(file) == answers


def test_in_a_chain_later_pairs_know_what_earlier_ones_ran_to_the_end() -> None:
    seen: list[Mapping[int, Mapping[int, float]]] = []

    def makes(problem: Problem, seed: int, known: Mapping[int, Mapping[int, float]], budget: int) -> Script:
        seen.append({pair: dict(runs) for pair, runs in known.items()})
        return Script([Wish(1, 10), Wish(2, 10)])

    for hands_on in (True, False):
        seen.clear()
        order = Order(seed=0, answers=0, pairs=(0, 1), budget=50, known={7 % 2: (2,)}, hands_on=hands_on)
        answer(SMALL, [order], makes)
        assert seen[0] == {1: {2: 0.0}}
        assert (0 in seen[1]) == hands_on
    assert seen[1] == {1: {2: 0.0}}


def test_a_peer_never_sees_the_test_split(table: Table) -> None:
    shown = problem(table)
    np.testing.assert_array_equal(shown.accuracy, table.accuracy[..., 0])
    assert [setting.alpha for setting in shown.settings].count(None) == 4


def test_a_peers_answer_goes_through_the_measure_of_all(table: Table) -> None:
    """A peer that runs the whole grid has found what the sweep finds, at its cost; with one run it has B."""
    everything = [Wish(column, table.epochs) for column in range(len(table.settings))]
    orders = newcomer_orders(table, 0, knows="nothing")
    big = [Order(seed=0, answers=0, pairs=order.pairs, budget=10_000, known={}) for order in orders]
    steps, _ = answer(problem(table), big, lambda *_: Script(everything))
    ran = {
        pair: mine
        for order, got in zip(big, steps, strict=True)
        for pair, mine in searched(table, order, got).items()
    }
    np.testing.assert_allclose(points(table, 0, ran, [1, 76]), [(1 / 76, 0.0), (1.0, 1.0)], atol=1e-9)
    assert cost(table, [trial for mine in ran.values() for trial in mine], 10) == pytest.approx(1.0)
    assert set(ran) == {pair for meeting, _ in meetings(table, 0) for pair in meeting}
    assert yardstick(table, 0).anyway.keys() >= ran.keys()


def test_with_free_position_the_whole_grid_both_ways_is_the_sweep_and_the_default_is_what_one_has(
    table: Table,
) -> None:
    def ran(columns: list[int]) -> dict[Pair, list[Ran]]:
        return {
            pair: [Ran(pair, table.settings[column], table.epochs, whole=True) for column in columns]
            for pair in table.pairs
        }

    everything = [table.default, *(column for column in range(76) if column != table.default)]
    np.testing.assert_allclose(
        meeting_points(table, 1, ran(everything), [1, 76]), [(1 / 76, 0.0), (1.0, 1.0)], atol=1e-9
    )
    # One way round only there is less to find.
    (_, both), one_way = meeting_points(table, 1, ran(everything), [40])[0], ran(everything)
    one_way |= {pair: mine[:1] for pair, mine in one_way.items() if pair.teacher > pair.student}
    assert meeting_points(table, 1, one_way, [40])[0][1] < both


def test_the_setting_that_is_best_elsewhere_finds_some_of_it_with_free_position_too(table: Table) -> None:
    assert 0.5 < single_meetings(table, 0) < 1


def test_orders_tell_of_pairs_without_either_participant_only(table: Table) -> None:
    for knows, runs in (("sweeps", {76}), ("trials", set(range(1, 9)))):
        for order in newcomer_orders(table, 2, knows=knows)[:1]:
            mine = {who for row in order.pairs for who in table.pairs[row].meeting}
            assert len(order.known) == 56
            assert not any(table.pairs[row].meeting & mine for row in order.known)
            assert {len(columns) for columns in order.known.values()} <= runs
    (alone,), chains = batch_orders(table, 0, chained=False), batch_orders(table, 0, chained=True)
    assert len(alone.pairs) == 90
    assert [chain.budget for chain in chains] == [40, 80, 160]


def test_stock_ray_stops_where_its_asha_must(table: Table) -> None:
    """At epochs 1 and 4: what comes after three better ones there is out."""
    shown = problem(table)
    peer = Stock(shown, 0)
    peer.begin({1: 0.5, 2: 0.5, 3: 0.5, 4: 0.5, 5: 0.5, 6: 0.5, 8: 0.5, 10: 0.5})
    wishes = [peer.ask(trial) for trial in range(4)]
    assert all(wish is not None and wish.epochs == 10 for wish in wishes)
    assert [peer.report(trial, 1, accuracy) for trial, accuracy in enumerate((0.6, 0.4, 0.7, 0.8))] == [
        True,
        False,
        True,
        True,
    ]
    assert peer.report(0, 2, 0.0)
    assert not peer.report(0, 4, 0.4)
    assert peer.report(2, 4, 0.9)


def test_stock_ray_begins_with_the_default_and_spends_what_it_may(table: Table) -> None:
    shown = problem(table)
    pair = table.row[Pair(4, 9)]
    steps = search(shown, shown.curves(pair, 0), Stock(shown, 1), 100)
    assert steps[0] == Step(shown.default, 10, whole=True)
    assert {step.epochs for step in steps} <= {0, 1, 3, 4, 6, 9, 10}
    # Up to nine epochs more are spent by the trial that is still under way.
    assert 91 <= sum(step.epochs for step in steps) < 110
    assert any(not step.whole for step in steps)


def test_the_peers_side_imports_nothing_of_autokd() -> None:
    code = "import sys, benchmarks.peers.replay, benchmarks.peers.problem; print('autokd' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_difference_is_of_the_seeds_that_both_have() -> None:
    ours = [[(0.05, 0.5), (0.1, 0.8), (0.2, 0.9)], [(0.05, 0.7), (0.1, 0.8), (0.2, 1.0)], [(0.05, 9.0)]]
    theirs = [[(0.05, 0.4), (0.1, 0.8), (0.2, 1.0)], [(0.05, 0.4), (0.1, 0.8), (0.2, 1.1)]]
    gap = difference(ours, theirs)
    assert gap.seeds == 2
    assert gap.mean == pytest.approx((0.2, 0.0, -0.1))
    assert gap.error == pytest.approx((0.1, 0.0, 0.0))


def test_a_mean_over_tables_is_of_the_seeds_that_all_have() -> None:
    def table(*shares: float) -> list[list[tuple[float, float]]]:
        return [[(0.05, share), (0.2, share)] for share in shares]

    ours, theirs = [table(1.0, 0.8, 9.0), table(0.5, 0.5)], [table(0.8, 0.8), table(0.5, 0.3)]
    gap = judged(ours, theirs)
    assert gap.seeds == 2
    # By seed 0.2 and 0.0 on the one, 0.0 and 0.2 on the other: 0.1 both times.
    assert gap.mean == pytest.approx((0.1, 0.1, 0.1))
    assert gap.error == pytest.approx((0.0, 0.0, 0.0))
