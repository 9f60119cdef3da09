"""What a batch is expected to take, before it begins."""

from __future__ import annotations

from pathlib import Path

import pytest

from autokd.config.effort import Effort
from autokd.core.price import Load
from autokd.core.setting import Pair
from autokd.errors import ArgumentError
from autokd.search.expected import EACH_RUN, START, ExpectedCost
from autokd.workflows.expected import expected_cost
from autokd.workspace import Workspace


def test_before_the_federation_is_prepared_runs_and_epochs_are_known(tmp_path: Path) -> None:
    workspace = Workspace.open("digits", home=tmp_path / "home")
    both = expected_cost(workspace, [Pair(4, 9)])
    everything = expected_cost(workspace, workspace.pairs)
    assert (both.pairs, everything.pairs) == (2, 90)
    assert both.seconds is None
    # At least the fewest trials and the first look of two arms; at most all of both.
    assert 2 * (3 + 4) <= both.runs <= 2 * (12 + 2 * 5 * 2)
    assert everything.runs == pytest.approx(45 * both.runs, rel=0.02)
    assert everything.epochs >= 10 * everything.runs * 0.5
    assert not (tmp_path / "home").exists()


def test_efforts_are_named_sets_of_the_recipes_fields(tmp_path: Path) -> None:
    configs = {
        effort: Workspace.open("digits", home=tmp_path, effort=effort).config
        for effort in ("quick", "normal", "thorough")
    }
    assert [config.search.trials for config in configs.values()] == [6, 12, 32]
    assert [config.confirmation.seeds for config in configs.values()] == [3, 5, 10]
    assert configs["normal"] == Workspace.open("digits", home=tmp_path).config
    assert Workspace.open("digits", home=tmp_path, effort="quick", trials=20).config.search.trials == 20
    costs = [
        expected_cost(Workspace.open("digits", home=tmp_path, effort=effort), [Pair(4, 9)]).epochs
        for effort in Effort
    ]
    assert costs == sorted(costs)
    assert costs[0] < costs[1] < costs[2]
    with pytest.raises(ArgumentError, match="must be quick, normal or thorough, not 'lazy'"):
        Workspace.open("digits", home=tmp_path, effort="lazy")


def test_time_is_that_of_training_and_of_handing_out_on_all_workers() -> None:
    cost = ExpectedCost.of(Load(100, 1000, 50_000), 4, examples_per_second=500, at_once=2)
    assert cost.seconds == pytest.approx(START + (100 + 100 * EACH_RUN) / 2)
    assert ExpectedCost.of(Load(), 0).seconds == 0
    assert cost.to_json()["epochs"] == 1000
