from __future__ import annotations

import math
from collections import Counter
from itertools import combinations

import numpy as np
import pytest

from autokd.core.records import TrialOrigin, TrialRecord, TrialState
from autokd.core.setting import DEFAULT, Pair
from benchmarks.simulation.measure import (
    answer,
    at,
    cost,
    half,
    meeting_answer,
    meeting_yardstick,
    single,
    yardstick,
)
from benchmarks.simulation.policies import POLICIES, Policy
from benchmarks.simulation.replay import Ran, replay
from benchmarks.simulation.scenarios import _names, _round, cold, cold_meetings, newcomer
from benchmarks.simulation.table import Table


def ran(
    table: Table, *, policy: str = "random", seed: int = 0, trials: int = 3, pairs: int = 90
) -> list[Ran]:
    chosen: Policy = POLICIES[policy]
    some = table.pairs[:pairs]
    names = _names(some, seed)
    return replay(
        table,
        config=table.config.with_(trials=trials, stopping=chosen.stopping),
        meetings=[(pair,) for pair in some],
        sampler=chosen.make(table, names, seed),
        seed=seed,
        names=names,
    )


def test_the_table_is_whole(table: Table) -> None:
    assert table.accuracy.shape == (90, 76, 2, 8, 3)
    assert not np.isnan(table.accuracy).any()
    assert len(set(table.pairs)) == 90
    assert set(table.settings) == set(table.space.grid())
    assert set(table.config.rungs) <= set(table.rungs)
    assert table.epochs == table.config.distillation.epochs
    assert set(table.features) == set(table.pairs)


def test_a_gain_is_over_the_students_own_model(table: Table) -> None:
    pair = Pair(4, 9)
    row, column = table.row[pair], table.column[DEFAULT]
    over = 100 * (table.accuracy[row, column, 1, -1, 2] - table.own[9, 2])
    assert table.gain[row, column, 1, 2] == pytest.approx(over)


def test_the_whole_grid_is_all_there_is_to_find_and_the_default_nothing(table: Table) -> None:
    for seed in range(table.seeds):
        scale = yardstick(table, seed)
        for settings, share in ((table.settings, 1.0), ([DEFAULT], 0.0)):
            answers = {pair: answer(table, seed, pair, settings) for pair in table.pairs}
            assert scale.share(answers) == pytest.approx(share)


def test_and_so_for_meetings(table: Table) -> None:
    scale = meeting_yardstick(table, 0)
    assert len(half(table)) == 45
    for settings, share in ((table.settings, 1.0), ([DEFAULT], 0.0)):
        answers = {pair: meeting_answer(table, 0, pair, settings, settings) for pair in half(table)}
        assert scale.share(answers) == pytest.approx(share)


def test_a_setting_is_chosen_on_validation_and_told_on_test_and_nothing_is_an_answer(table: Table) -> None:
    gains = table.gain[:, :, 0]
    for pair in table.pairs[:20]:
        mine = gains[table.row[pair]]
        chosen = mine[mine[:, 0].argmax()]
        assert answer(table, 0, pair, table.settings) == (chosen[2] if chosen[0] > 0 else 0)
        harmful = [setting for setting, gain in zip(table.settings, mine, strict=True) if gain[0] <= 0]
        assert answer(table, 0, pair, harmful) == 0
    assert answer(table, 0, table.pairs[0], []) == 0


def test_no_search_at_all_already_comes_most_of_the_way_but_not_all(table: Table) -> None:
    """With the best setting of the other pairs."""
    assert 0.3 < single(table, 0) < 1


def test_a_replay_tries_different_settings_of_each_pair_the_default_first(table: Table) -> None:
    trials = ran(table)
    tried = {pair: [trial.setting for trial in trials if trial.pair == pair] for pair in table.pairs}
    assert {len(settings) for settings in tried.values()} == {3}
    for settings in tried.values():
        assert len(set(settings)) == 3
        assert settings[0] == DEFAULT
    assert len({settings[1] for settings in tried.values()}) > 20


def test_the_same_seed_replays_the_same_and_another_another(table: Table) -> None:
    for policy in ("random", "autokd"):
        assert ran(table, policy=policy, pairs=6) == ran(table, policy=policy, pairs=6)
    assert ran(table, pairs=6) != ran(table, pairs=6, seed=1)


def test_what_is_never_stopped_costs_its_share_of_the_sweep(table: Table) -> None:
    trials = ran(table)
    assert all(trial.whole and trial.epochs == 10 for trial in trials)
    assert cost(table, trials, 90) == pytest.approx(3 / 76)


def test_what_is_stopped_costs_the_epochs_until_then(table: Table) -> None:
    trials = ran(table, policy="random + ASHA", trials=12, pairs=5)
    epochs = Counter(trial.epochs for trial in trials)
    assert set(epochs) == {3, 6, 10}
    assert all(trial.whole == (trial.epochs == 10) for trial in trials)
    assert cost(table, trials, 5) == pytest.approx(sum(map(math.prod, epochs.items())) / (5 * 76 * 10))
    # A run stopped at a rung was not among the better half there; so one that was best of all went on.
    for pair in table.pairs[:5]:
        mine = [trial for trial in trials if trial.pair == pair]
        values = {
            trial.setting: table.accuracy[table.row[pair], table.column[trial.setting], 0, 2, 0]
            for trial in mine
        }
        assert (
            next(
                trial for trial in mine if trial.setting == max(values, key=lambda setting: values[setting])
            ).epochs
            > 3
        )


def test_nothing_is_stopped_within_the_grace(table: Table) -> None:
    trials = ran(table, policy="autokd", trials=10, pairs=3)
    for pair in table.pairs[:3]:
        whole = [trial.whole for trial in trials if trial.pair == pair]
        assert len(whole) == 10
        assert sum(whole) >= 6
    assert any(not trial.whole for trial in trials)


def test_in_nine_rounds_ten_participants_all_meet_once() -> None:
    rounds = [_round(10, number) for number in range(9)]
    for meetings in rounds:
        assert sorted(who for meeting in meetings for who in meeting) == list(range(10))
    met = [frozenset(meeting) for round_meetings in rounds for meeting in round_meetings]
    assert len(met) == 45
    assert set(met) == {frozenset(both) for both in combinations(range(10), 2)}
    assert _round(10, 9) == _round(10, 0)


def test_the_share_at_a_cost_lies_between_the_points_around_it() -> None:
    points = [(0.2, 0.8), (0.1, 0.6)]
    shares = [at(points, cost) for cost in (0.0, 0.05, 0.1, 0.15, 0.2, 0.9)]
    assert shares == pytest.approx([0.0, 0.3, 0.6, 0.7, 0.8, 0.8])


def test_four_trials_a_pair_find_nearly_all_of_it_and_far_more_than_random_ones(table: Table) -> None:
    spent, share = cold(table, POLICIES["autokd"], 0, 4)
    spent_by_chance, share_by_chance = cold(table, POLICIES["random"], 0, 4)
    assert spent == spent_by_chance == pytest.approx(4 / 76)
    assert share > 0.85
    assert share > share_by_chance + 0.3


def test_with_free_position_too(table: Table) -> None:
    (spent, share), (_, by_chance) = (
        cold_meetings(table, POLICIES[name], 0, 4) for name in ("autokd", "random")
    )
    assert spent == pytest.approx(4 / 76)
    assert share > by_chance + 0.2


def test_a_newcomers_points_cost_one_trial_more_each(table: Table) -> None:
    points = newcomer(table, POLICIES["random"], 0, [1, 2, 4])
    assert [spent for spent, _ in points] == pytest.approx([1 / 76, 2 / 76, 4 / 76])
    assert points[0][1] == pytest.approx(0.0)
    assert points[2][1] > 0


def test_optunas_gaussian_process_is_never_sent_to_a_setting_twice(table: Table) -> None:
    """Nor where it has wishes for tried ones only: then any other is run."""
    chosen = POLICIES["Optuna GP"].make(table, {}, 0)
    left = table.settings[5]
    tried = [
        TrialRecord(
            number=number,
            setting=setting,
            seed=0,
            role=TrialOrigin.SEARCH,
            state=TrialState.RUNNING if number % 2 else TrialState.COMPLETE,
            curve=() if number % 2 else ((10, 0.5 + 0.001 * number),),
        )
        for number, setting in enumerate(table.settings)
        if setting != left
    ]
    assert chosen.suggest("study", tried) == left
    assert chosen.suggest("study", tried[:3]) not in {trial.setting for trial in tried[:3]}
