"""A pair is tuned in a space where budgets, rates and schedules are searched: real runs, in real workers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from autokd.core.records import TrialState
from autokd.core.setting import DEFAULT, Pair, Position
from autokd.workflows.recommend import recommend
from autokd.workflows.status import status
from autokd.workflows.tune import BatchBudget, tune
from autokd.workspace import Workspace
from tests.paths import ROOT

PAIR = Pair(0, 1)
SMALL = ROOT / "tests" / "compatibility" / "small.yaml"


def opened(home: Path, trials: int = 5) -> Workspace:
    return Workspace.open(
        SMALL,
        home=home,
        space="private",
        trials=trials,
        try_=["T=2,alpha=0.5,transfer_set=student_public,epochs=16,schedule=cosine,label_prior=adjusted"],
    )


@pytest.mark.ray
def test_it_is_tuned_goes_on_after_a_budget_and_is_recommended(home: Path) -> None:
    workspace = opened(home)
    assert workspace.space.dimensions["epochs"] == (None, 8, 16)
    assert workspace.space.dimensions["learning_rate"] == (0.005, None, 0.02, 0.04)
    first = tune(workspace, PAIR, position=Position.STUDENT, budget=BatchBudget(epochs=40))
    assert not first.interrupted
    spent = status(workspace).pairs[0]
    assert 0 < spent.search_epochs + spent.confirmation_epochs <= 40
    again = tune(opened(home, trials=8), PAIR, position=Position.STUDENT)
    assert again.ran > 0
    config = workspace.config
    with workspace.open_store(create=False) as store:
        (study,) = store.studies()
        trials, runs = store.trials(study), store.runs(study)
    assert trials[0].setting == DEFAULT
    assert trials[0].state is TrialState.COMPLETE
    assert [epoch for epoch, _ in trials[0].curve] == [1, 2, 4]
    asked = next(trial for trial in trials if trial.setting.epochs == 16)
    assert asked.state is TrialState.COMPLETE
    assert [epoch for epoch, _ in asked.curve] == [1, 2, 4, 8, 16]
    for trial in trials:
        reached = [epoch for epoch, _ in trial.curve]
        assert reached == [epoch for epoch in (1, 2, 4, 8, 16) if epoch <= trial.epochs]
        assert trial.state is not TrialState.COMPLETE or trial.epochs == config.budget(trial.setting)
    assert all(run.epochs == config.budget(run.setting) for run in runs)
    assert runs
    shown = status(workspace)
    assert shown.sweep_budget == 16
    assert shown.sweep_epochs == 76 * 16
    assert shown.cost_in_examples is not None
    answer = recommend(opened(home, trials=8), PAIR)
    assert answer.records.trials == trials
    assert answer.judgement is not None
    third = tune(opened(home, trials=8), PAIR, position=Position.STUDENT)
    assert third.ran == 0, "the store has everything"
    assert replace(DEFAULT, epochs=4) not in workspace.space, "it is the default setting already"
