from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from autokd.config.base import content_hash
from autokd.config.federation import FederationConfig
from autokd.config.search import StoppingConfig, rungs_of
from autokd.config.study import StudyConfig
from autokd.config.yaml_files import read_study_config
from autokd.core.setting import Method
from autokd.errors import InputError, PlanError
from tests.search.worlds import TINY, tiny_plan


def test_a_plan_cannot_be_changed_only_derived() -> None:
    config = tiny_plan()
    with pytest.raises(ValidationError):
        config.name = "other"  # type: ignore[misc]
    more = config.with_(trials=64)
    assert (more.search.trials, config.search.trials) == (64, 6)
    assert more.distillation == config.distillation


def test_what_is_derived_is_validated_too() -> None:
    with pytest.raises(PlanError):
        tiny_plan().with_(trials=0)
    with pytest.raises(PlanError, match="must lie below"):
        tiny_plan().with_(stopping=StoppingConfig(rungs=(3, 10)))


def test_a_trial_reports_at_each_rung_and_at_the_end() -> None:
    assert tiny_plan().rungs == (3, 6, 10)
    assert tiny_plan(stopping=StoppingConfig(rungs=())).rungs == (10,)


@given(st.lists(st.integers(1, 40), unique=True).map(sorted), st.integers(1, 40), st.integers(1, 400))
def test_rungs_increase_and_end_at_the_budget(early: list[int], more: int, budget: int) -> None:
    usual = (early[-1] if early else 0) + more
    rungs = rungs_of((*early, usual), budget)
    assert list(rungs) == sorted(set(rungs))
    assert rungs[-1] == budget
    assert set(rungs[:-1]) <= {*early, *(usual * 2**power for power in range(9))}
    if not early:
        assert rungs == (budget,), "early stopping is off"
    else:
        assert {rung for rung in (*early, usual) if rung < budget} <= set(rungs)
        longer = rungs_of((*early, usual), 2 * budget)
        assert set(rungs[:-1]) <= set(longer), "trials of different budgets meet at the same epochs"
        assert all(after <= 2 * before for before, after in pairwise(rungs) if before >= usual)


def test_the_largest_budget_is_four_times_the_usual_one_unless_a_recipe_says_it() -> None:
    assert tiny_plan().max_epochs == 40
    longer = tiny_plan(max_epochs=70)
    assert (longer.max_epochs, longer.rungs) == (70, (3, 6, 10))
    assert "max_epochs" not in tiny_plan().model_dump()["search"]
    with pytest.raises(PlanError, match=r"search\.max_epochs 9 lies below the 10 epochs of a run"):
        tiny_plan(max_epochs=9)


def test_one_architecture_serves_all_or_each_has_its_own() -> None:
    recipe = StudyConfig.model_validate(TINY).federation
    assert isinstance(recipe, FederationConfig)
    assert recipe.architecture(3).name == "mlp"
    own = recipe.model_copy(
        update={
            "architectures": tuple(recipe.architectures[0].model_copy(update={"name": n}) for n in "abcd")
        }
    )
    assert own.architecture(2).name == "c"


def test_fields_that_came_later_leave_old_hashes_alone() -> None:
    """What was tuned before is found again: `digits` had these hashes when the fields were not there."""
    config = read_study_config("digits")
    assert (content_hash(config.federation), content_hash(config)) == ("67530c99", "5ac4372a")
    assert isinstance(config.federation, FederationConfig)
    augmented = config.federation.pretraining.model_copy(update={"augmentation": "crop_flip"})
    assert augmented.model_dump()["augmentation"] == "crop_flip"
    assert "augmentation" not in config.federation.pretraining.model_dump()


def test_where_a_recipe_lies_is_no_part_of_it() -> None:
    recipe = read_study_config("digits").federation
    moved = recipe.located(Path("somewhere/mine.yaml"))
    assert moved == recipe
    assert hash(moved) == hash(recipe)
    assert (recipe.folder, moved.folder, moved.source) == (Path(), Path("somewhere"), "somewhere/mine.yaml")
    assert read_study_config("digits").with_(trials=7).federation.folder == Path()


def test_a_content_hash_sees_content_and_nothing_else() -> None:
    config = tiny_plan()
    assert content_hash(config) == content_hash(StudyConfig.model_validate(config.model_dump()))
    assert content_hash(config) != content_hash(tiny_plan(trials=7))
    assert content_hash({"a": 1, "b": 2}) == content_hash({"b": 2, "a": 1})
    assert content_hash("1") != content_hash(1)
    assert len(content_hash("x", digits=12)) == 12


def forbidding(forbid: dict[str, object]) -> StudyConfig:
    return StudyConfig.model_validate({**TINY, "forbid": forbid})


def test_a_method_that_counts_cannot_be_asked_for_where_counts_are_forbidden() -> None:
    config = forbidding({"class_counts": True})
    with pytest.raises(InputError, match=r"method=balanced cannot be used: it needs private class counts"):
        config.with_asked(["T=1,alpha=0.5,transfer_set=student,method=balanced"])
    estimated = "T=1,alpha=0.5,transfer_set=student,method=balanced_estimated"
    assert config.with_asked([estimated]).search.asked[0].method is Method.BALANCED_ESTIMATED
    nothing_public = forbidding({"class_counts": True, "transfer_sets": ["public"]})
    with pytest.raises(
        InputError, match=r"method=balanced_estimated cannot be used: it needs public examples"
    ):
        nothing_public.with_asked([estimated])


def test_counts_that_nobody_forbade_leave_the_recipe_as_it_was() -> None:
    assert "class_counts" not in tiny_plan().model_dump()["forbid"]
    assert forbidding({"class_counts": True}).model_dump()["forbid"]["class_counts"] is True


def test_balanced_names_its_target() -> None:
    config = StudyConfig.model_validate({**TINY, "objective": "balanced"})
    assert (config.objective, config.target) == ("balanced", "balanced")
    assert StudyConfig.model_validate(config.model_dump(by_alias=True)) == config
    assert config.with_(trials=64).target == "balanced"
    assert config.aims.value(3.0, 9.0) == 3.0
    assert StudyConfig.model_validate({**TINY, "objective": "balanced", "target": "common"}) == config
    for target in ("own", {"0": 1.0}):
        with pytest.raises(PlanError, match="gives all classes equal shares"):
            StudyConfig.model_validate({**TINY, "objective": "balanced", "target": target})
    with pytest.raises(PlanError, match="is written objective: balanced"):
        StudyConfig.model_validate({**TINY, "target": "balanced"})
