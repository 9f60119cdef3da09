from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autokd.config.objective import Constraints, Objective
from autokd.config.study import StudyConfig
from autokd.core.records import Stage, TrialOrigin, TrialRecord, TrialState
from autokd.core.setting import Setting, TransferSet
from autokd.recommendation.interim_looks import judge_pair, seeds_wanted
from autokd.recommendation.judgement import Judgement
from autokd.search.objective import scalarise
from tests.search.worlds import BACKWARD, FORWARD, TINY, World

OWN = 0.6
LIMITED = Objective(constraints=Constraints(max_forgetting=2.0))


def trial(accuracy: float, lost: float) -> TrialRecord:
    return TrialRecord(
        number=1,
        setting=Setting(2.0, 0.5, TransferSet.BOTH),
        seed=0,
        role=TrialOrigin.SEARCH,
        state=TrialState.COMPLETE,
        curve=((3, 0.5), (10, accuracy)),
        forgetting_curve=(0.0, lost),
    )


def seen(accuracy: float, lost: float, aims: Objective) -> float:
    worth = scalarise(trial(accuracy, lost), aims, OWN).accuracy
    assert worth is not None
    return worth


def test_gain_alone_is_the_accuracy_itself() -> None:
    whole = trial(0.7, 5.0)
    assert scalarise(whole, Objective(), OWN) is whole


def test_other_objectives_stand_where_the_accuracy_was() -> None:
    assert seen(0.7, 4.0, Objective(objective="gain_minus_forgetting")) == pytest.approx(0.66)
    assert seen(0.7, 4.0, Objective(objective="gain_local")) == pytest.approx(0.56)


@given(st.floats(0, 1), st.floats(2.01, 60))
def test_what_breaks_a_constraint_is_worse_than_nothing_the_more_it_does(
    accuracy: float, lost: float
) -> None:
    worth = seen(accuracy, lost, LIMITED)
    assert worth < OWN
    assert seen(accuracy, lost + 1, LIMITED) == pytest.approx(worth - 0.01)
    assert seen(accuracy, 2.0, LIMITED) == pytest.approx(accuracy)


def test_a_search_by_another_objective_goes_where_that_is_best(tmp_path: Path) -> None:
    """No run forgets anything here: by local gain all settings are alike, and each is as good as any."""
    config = StudyConfig.model_validate(
        {**TINY, "objective": "gain_local", "constraints": {"max_forgetting": 1}}
    )
    world = World(tmp_path, config)
    world.work()
    assert {run.stage for run in world.runs()} == {Stage.RACE, Stage.CONFIRMATION}
    assert all(set(trial.forgetting_curve) <= {0.0} for trial in world.trials())


@pytest.mark.parametrize(("confidence", "seeds"), [(0.95, 2), (0.99999, 4)], ids=["decided", "undecided"])
def test_an_undecided_pair_is_given_the_seeds_that_the_plan_lets_it_have(
    tmp_path: Path, confidence: float, seeds: int
) -> None:
    confirmation = {
        "candidates": 1,
        "race_seeds": 1,
        "seeds": 2,
        "max_seeds": 4,
        "resamples": 200,
        "confidence": confidence,
    }
    search = {"trials": 6, "startup_trials": 3, "stopping": {"rungs": []}}
    config = StudyConfig.model_validate({**TINY, "search": search, "confirmation": confirmation})
    world = World(tmp_path, config)
    world.work()
    seeds_by_pair = {pair: len({run.seed for run in world.runs(pair)}) for pair in world.names}
    for pair in world.names:
        records = world.records(pair)
        assert seeds_wanted(config, world.facts, records) == seeds_by_pair[pair]
        assert isinstance(judge_pair(config, world.facts, records), Judgement)
    assert seeds_by_pair == {FORWARD: seeds, BACKWARD: 2}
