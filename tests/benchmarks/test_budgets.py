"""The tables with budgets hold what they say, and searches on them cost what they run."""

from __future__ import annotations

import numpy as np
import pytest

from autokd.core.setting import DEFAULT, Schedule
from benchmarks.simulation.budgets import BudgetTable, Way, load, replayed
from benchmarks.simulation.record import PAIRS, sample


@pytest.fixture(scope="module", params=["digits", "digits_plain"])
def budgets(request: pytest.FixtureRequest) -> BudgetTable:
    return load(request.param)


def test_the_recorded_settings_are_those_that_the_command_would_run(budgets: BudgetTable) -> None:
    settings = sample(budgets.recipe)
    assert budgets.pairs == PAIRS
    assert budgets.gain.shape == (12, len(settings), 2, 5, 3)
    assert DEFAULT in budgets.settings
    for setting, (run, _) in zip(budgets.settings, budgets.runs, strict=True):
        assert setting == DEFAULT or setting.transfer_set is settings[run].transfer_set


def test_every_setting_ran_to_its_end_for_every_pair(budgets: BudgetTable) -> None:
    """Only a run that diverged has no figure; there is none at a constant rate of the recipe's."""
    ends = np.array(
        [[budgets.end(pair, place, 0) for place in range(len(budgets.settings))] for pair in range(12)]
    )
    assert (ends > -50).mean() > 0.95
    constant = [setting.schedule is Schedule.CONSTANT for setting in budgets.settings]
    assert {40, 20} <= {
        setting.epochs for setting, is_constant in zip(budgets.settings, constant, strict=True) if is_constant
    }


def test_a_search_is_repeated_by_its_seed_and_stopping_makes_it_cheaper(budgets: BudgetTable) -> None:
    cost, gain = replayed(budgets, Way(), 0)
    assert (cost, gain) == replayed(budgets, Way(), 0)
    assert cost == sorted(cost)
    assert gain[-1] > gain[0]
    stopped, _ = replayed(budgets, Way(stops=True), 0)
    assert stopped[-1] < cost[-1]
