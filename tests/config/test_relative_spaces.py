"""Spaces relative to a recipe: learning rates in multiples of its own, epochs by doubling, schedules."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autokd.config.dimensions import doublings, rounded
from autokd.config.space import Space, former_spaces, read_space, sweep_epochs, sweep_examples
from autokd.config.study import StudyConfig
from autokd.config.yaml_files import read_study_config, shipped
from autokd.core.price import Prices
from autokd.core.setting import DEFAULT, Pair, Schedule
from autokd.errors import PlanError
from autokd.search.study_names import study_name
from tests.search.worlds import open_space, tiny_plan

RELATIVE = open_space(
    temperature=[1, 4],
    alpha=[0, 0.5],
    learning_rate={"times": [0.25, 1, 4]},
    schedule=["constant", "cosine"],
    epochs="doubling",
)
LARGE = ("default", "private")
"""Shipped spaces that are relative to the recipe."""


def recipe(**distillation: object) -> StudyConfig:
    config = tiny_plan()
    changed = config.distillation.model_copy(update=distillation)
    return config.model_copy(update={"distillation": changed})


def test_a_space_says_what_it_searches_once_it_knows_the_recipe() -> None:
    space = RELATIVE.resolved(recipe(learning_rate=0.02, epochs=10, schedule="constant"))
    assert space.dimensions["learning_rate"] == (0.005, None, 0.08)
    assert space.dimensions["epochs"] == (None, 20, 40)
    assert space.dimensions["schedule"] == (None, "cosine")
    other = RELATIVE.resolved(recipe(learning_rate=0.1, epochs=8, schedule="cosine"))
    assert other.dimensions["learning_rate"] == (0.025, None, 0.4)
    assert other.dimensions["epochs"] == (None, 16, 32)
    assert other.dimensions["schedule"] == ("constant", None)


def test_what_a_recipe_says_is_the_default_setting_and_no_other_one() -> None:
    space = RELATIVE.resolved(tiny_plan())
    assert DEFAULT in space
    assert space.grid().count(DEFAULT) == 1
    assert all(setting in space for setting in space.grid())
    assert len(set(space.grid())) == len(space.grid()) == 3 * 3 * 2 * (2 * 2 * 3 + 2)
    assert replace(DEFAULT, epochs=10) not in space
    assert replace(DEFAULT, epochs=40, schedule=Schedule.COSINE) in space


@given(
    st.floats(1e-6, 10),
    st.integers(1, 50),
    st.sampled_from(["constant", "cosine"]),
    st.lists(st.floats(0.01, 100), min_size=1, max_size=4, unique=True),
)
def test_to_resolve_twice_changes_nothing(
    rate: float, epochs: int, schedule: str, times: list[float]
) -> None:
    config = recipe(learning_rate=rate, epochs=epochs, schedule=schedule)
    relative = open_space(learning_rate={"times": times}, epochs="doubling", schedule=["cosine", "constant"])
    once = relative.resolved(config)
    assert once.is_resolved
    assert once.resolved(config) == once
    assert Space.model_validate(once.model_dump(mode="json")) == once
    assert once.resolved(config).dimensions == once.dimensions


@pytest.mark.parametrize("study", shipped("studies"))
def test_a_space_that_is_relative_to_nothing_stays_as_it_is(study: str) -> None:
    config = read_study_config(study)
    absolute = [read_space(name) for name in shipped("search_spaces") if name not in LARGE]
    for space in (*absolute, *(former for name in LARGE for former in former_spaces(name))):
        assert space.resolved(config) is space


@pytest.mark.parametrize(
    ("epochs", "most", "expected"),
    [
        (10, 40, (10, 20, 40)),
        (10, 10, (10,)),
        (10, 11, (10, 11)),
        (10, 20, (10, 20)),
        (10, 35, (10, 20, 35)),
        (10, 80, (10, 20, 40, 80)),
        (1, 4, (1, 2, 4)),
        (3, 25, (3, 6, 12, 24, 25)),
    ],
)
def test_budgets_double_up_to_the_largest(epochs: int, most: int, expected: tuple[int, ...]) -> None:
    assert doublings(epochs, most) == expected


def test_where_nothing_is_left_to_search_the_dimension_is_gone() -> None:
    config = tiny_plan(max_epochs=10)
    space = open_space(epochs="doubling", schedule=["constant"], learning_rate={"times": [1]}).resolved(
        config
    )
    assert space.model_dump() == open_space().model_dump()


def test_a_space_that_is_not_resolved_is_no_space_yet() -> None:
    with pytest.raises(ValueError, match="open is relative to a recipe"):
        _ = RELATIVE.dimensions
    with pytest.raises(ValueError, match="open is relative to a recipe"):
        RELATIVE.grid()


def test_another_largest_budget_is_another_study() -> None:
    """Optuna refuses other categories in a study that has some."""
    names = {
        study_name("f", config, RELATIVE.resolved(config), Pair(0, 1))
        for config in (tiny_plan(), tiny_plan(max_epochs=80), tiny_plan(max_epochs=40))
    }
    assert len(names) == 2


def test_the_sweep_that_a_search_is_compared_with_has_its_largest_budget() -> None:
    config = tiny_plan()
    assert sweep_epochs(config, open_space(), 3) == 3 * 76 * 10
    assert sweep_epochs(config, open_space(epochs=[2, 5]), 3) == 3 * 76 * 10
    assert sweep_epochs(config, RELATIVE.resolved(config), 3) == 3 * 76 * 40
    assert RELATIVE.resolved(config).budgets(config) == (10, 20, 40)
    prices = Prices(student=30, teacher=33, public=20, validation=40, epochs=10)
    # 24 settings on each of three labelled sets, 4 on public.
    once = 24 * (30 + 33 + 63) + 4 * 20
    assert sweep_examples(config, open_space(), prices) == 10 * once
    assert sweep_examples(config, RELATIVE.resolved(config), prices) == 40 * once


@pytest.mark.parametrize(
    ("text", "field", "problem"),
    [
        ("learning_rate: {times: []}", "learning_rate.times", "at least 1"),
        ("learning_rate: {times: [0, 1]}", "learning_rate.times.0", "greater than 0"),
        ("learning_rate: {times: [1, 1]}", "learning_rate.times", "lists a value twice: 1"),
        ("epochs: tripling", "epochs", "must be a whole number, not 'tripling'"),
        ("epochs: [0]", "epochs.0", "must be at least 1, not 0"),
        ("schedule: [linear]", "schedule.0", "'constant' or 'cosine'"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, field: str, problem: str) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(f"name: mine\ntemperature: [1]\nalpha: [0.5]\ntransfer_set: [student]\n{text}\n")
    with pytest.raises(PlanError) as caught:
        read_space(str(file))
    assert f"{field}: " in str(caught.value)
    assert problem in str(caught.value)


@pytest.mark.parametrize("name", LARGE)
def test_the_shipped_spaces_fit_every_shipped_recipe(name: str) -> None:
    for study in shipped("studies"):
        config = read_study_config(study)
        space = read_space(name).permitted(config.forbidden).resolved(config)
        assert DEFAULT in space
        assert space.dimensions["epochs"] == (None, 20, 40)
        assert space.budgets(config) == (10, 20, 40)
        rates = [rounded(times * config.distillation.learning_rate) for times in (0.5, 2, 4)]
        assert space.dimensions["learning_rate"] == (rates[0], None, *rates[1:])
