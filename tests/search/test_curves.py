from __future__ import annotations

from dataclasses import replace

import pytest

from autokd.config.training import DistillationConfig
from autokd.core.records import TrialOrigin, TrialRecord, TrialState
from autokd.core.setting import DEFAULT, Schedule, Setting, TransferSet
from autokd.search.curves import shown

RECIPE = DistillationConfig(learning_rate=0.01, epochs=10)
LONG = Setting(2.0, 0.3, TransferSet.BOTH, epochs=40)


def trial(setting: Setting, *rungs: int) -> TrialRecord:
    curve = tuple((epochs, epochs / 100) for epochs in rungs)
    return TrialRecord(
        number=0, setting=setting, seed=0, role=TrialOrigin.SEARCH, state=TrialState.PRUNED, curve=curve
    )


@pytest.mark.parametrize("schedule", [None, Schedule.COSINE])
@pytest.mark.parametrize(
    ("rungs", "epochs"), [((3, 10, 20, 40), 40), ((3, 10, 20), 20), ((3, 10), None), ((3,), 3)]
)
def test_a_trial_shows_the_budget_that_it_reached(
    schedule: Schedule | None, rungs: tuple[int, ...], epochs: int | None
) -> None:
    """The recipe's own budget is written as a space writes it."""
    setting = replace(LONG, schedule=schedule)
    assert shown(trial(setting, *rungs), RECIPE) == replace(setting, epochs=epochs)


def test_a_setting_that_ran_to_its_end_stays_as_it_is_written() -> None:
    explicit = replace(LONG, epochs=10)
    assert shown(trial(explicit, 3, 10), RECIPE) == explicit
    assert shown(trial(DEFAULT, 3, 10), RECIPE) == DEFAULT


def test_without_a_rung_there_is_nothing_else_to_show() -> None:
    assert shown(trial(LONG), RECIPE) == LONG
