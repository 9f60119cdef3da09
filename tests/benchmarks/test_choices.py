"""What else autokd's search could do: each choice is what its name says."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from autokd.core.setting import DEFAULT, Pair
from autokd.search.kernel import KernelParameters, Task, encode
from benchmarks.simulation.choices import (
    CHOICES,
    Abreast,
    as_numbered,
    by_chance,
    in_rounds,
    measured,
    most_telling,
    most_uncertain,
    reached,
    row,
)
from benchmarks.simulation.fit import covariance
from benchmarks.simulation.policies import LATE, POLICIES
from benchmarks.simulation.replay import replay
from benchmarks.simulation.scenarios import cold
from benchmarks.simulation.table import Table


def test_every_order_serves_every_pair_once_and_only_chance_differs_by_seed(table: Table) -> None:
    for choice in CHOICES["order"]:
        for seed in (0, 1):
            assert sorted(choice.order(table, seed)) == sorted(table.pairs)
            assert choice.order(table, seed) == choice.order(table, seed)
    assert by_chance(table, 0) != by_chance(table, 1)
    assert as_numbered(table, 0)[:4] == [Pair(0, 1), Pair(1, 0), Pair(0, 2), Pair(2, 0)]


def test_in_rounds_everybody_has_taught_and_learned_before_anybody_does_so_again(table: Table) -> None:
    order = in_rounds(table, 3)
    for first in range(0, 90, 10):
        round_of_ten = order[first : first + 10]
        assert (
            sorted(pair.teacher for pair in round_of_ten)
            == sorted(pair.student for pair in round_of_ten)
            == list(range(10))
        )


def test_next_is_the_pair_that_those_before_tell_least_of_or_that_tells_most(table: Table) -> None:
    subjects = [Task(table.name, pair, table.features[pair]) for pair in table.pairs]
    prior = covariance(KernelParameters(), subjects, encode([DEFAULT] * 90))

    def left(pairs: list[Pair]) -> np.ndarray:
        """What stays unknown of each pair, once these have shown nearly all of theirs."""
        rows = [table.row[pair] for pair in pairs]
        known = prior[np.ix_(rows, rows)] + 0.05 * np.eye(len(rows))
        return np.asarray(np.diag(prior - prior[:, rows] @ np.linalg.solve(known, prior[rows])))

    for seed in (0, 1):
        first = most_uncertain(table, seed)[:6]
        for count in (1, 3, 5):
            others = [row for pair, row in table.row.items() if pair not in first[:count]]
            assert left(first[:count])[table.row[first[count]]] == pytest.approx(
                left(first[:count])[others].max()
            )
        chosen = most_telling(table, seed)[:3]
        sums = {pair: left([*chosen[:2], pair]).sum() for pair in table.pairs if pair not in chosen[:2]}
        assert sums[chosen[2]] == pytest.approx(min(sums.values()))


def test_abreast_no_pair_is_two_trials_ahead(table: Table) -> None:
    pairs = table.pairs[:6]
    names = {pair: f"{pair}" for pair in pairs}
    ran = replay(
        table,
        config=table.config.with_(trials=4, stopping=LATE),
        meetings=[(pair,) for pair in pairs],
        sampler=POLICIES["random"].make(table, names, 0),
        seed=0,
        names=names,
        serves=Abreast,
    )
    counts = dict.fromkeys(pairs, 0)
    for trial in ran:
        counts[trial.pair] += 1
        # Two runs are under way at once, of which the second may end first.
        assert max(counts.values()) - min(counts.values()) <= 2
    assert set(counts.values()) == {4}


def test_what_autokd_does_stands_first_and_is_the_simulators_own(table: Table) -> None:
    assert CHOICES["stopping"][0].stopping == LATE == table.config.search.stopping
    ours = measured(table, CHOICES["order"][0], 1, [3])
    assert ours == [cold(table, POLICIES["autokd"], 1, 3)]
    names = [choice.name for kind in CHOICES.values() for choice in kind]
    assert len(set(names)) == len(names)


def test_a_share_that_nothing_cost_is_not_made_up() -> None:
    points = [(0.04, 0.5), (0.08, 0.7)]
    assert reached(points, 0.06) == pytest.approx(0.6)
    assert np.isnan(reached(points, 0.1))


def test_differences_are_of_the_same_seeds() -> None:
    usual = np.array([[0.5, 0.6, 0.7], [0.7, 0.8, 0.9]])
    text = row(usual + np.array([0.1, 0.0, -0.2]), usual)
    assert "0.700 (+0.100 ± 0.000)" in text
    assert "0.700 (+0.000 ± 0.000)" in text
    assert "0.600 (-0.200 ± 0.000)" in text


def test_the_command_refuses_a_kind_that_there_is_not() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.simulation.choices", "odrer"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "odrer: choose from order, stopping" in done.stderr


@pytest.mark.slow
def test_the_command_measures_and_keeps(tmp_path: Path) -> None:
    file = tmp_path / "choices.json"
    command = [sys.executable, "-m", "benchmarks.simulation.choices", "order", "--tables", "digits"]
    command += ["--seeds", "2", "--trials", "2", "--processes", "1", "--out", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    kept = json.loads(file.read_text())["order"]["digits"]
    assert list(kept) == sorted(choice.name for choice in CHOICES["order"])
    assert all(len(seeds) == 2 for seeds in kept.values())
    assert all(name in done.stdout for name in kept)
