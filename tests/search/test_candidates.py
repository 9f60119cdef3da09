from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autokd.config.space import Space, former_spaces, read_space
from autokd.config.yaml_files import read_study_config, shipped
from autokd.core.setting import DEFAULT, LabelPrior, Setting, TransferSet, plain
from autokd.search.candidates import candidate_settings, is_small, neighbours
from tests.search.worlds import open_space


def test_of_a_large_lattice_some_are_considered_and_all_lie_inside() -> None:
    space = read_space("extended")
    considered = candidate_settings(space)
    assert len(considered) < 1_000
    assert [setting for setting in considered if setting not in space] == [DEFAULT]
    for name in ("method", "epochs", "batch_norm", "transfer_set", "learning_rate"):
        assert len({setting.values()[name] for setting in considered if setting in space}) > 1, name
    assert candidate_settings(space) == considered


def test_label_priors_are_considered_wherever_they_have_an_effect() -> None:
    space = open_space(alpha={"low": 0, "high": 1}, label_prior=["none", "adjusted"])
    considered = candidate_settings(space)
    assert len(set(map(plain, considered))) == len(considered)
    adjusted = [setting for setting in considered if setting.label_prior is LabelPrior.ADJUSTED]
    weights = {setting.alpha for setting in adjusted}
    assert 0.0 in weights
    assert 1.0 not in weights
    untaught = [setting for setting in considered if setting.alpha == 0]
    assert len(untaught) == 2 * len({setting.transfer_set for setting in untaught})


@pytest.mark.parametrize("name", shipped("search_spaces"))
def test_what_is_considered_lies_in_the_space_once_and_the_default_beside_it(name: str) -> None:
    space = read_space(name).resolved(read_study_config("digits"))
    considered = candidate_settings(space)
    assert all(setting in space for setting in considered if setting != DEFAULT)
    assert DEFAULT in considered
    assert len(set(considered)) == len(considered)


def test_both_ends_of_a_range_are_considered_on_each_transfer_set() -> None:
    space = open_space()
    considered = candidate_settings(space)
    for transfer_set in space.transfer_set:
        mine = [setting for setting in considered if setting.transfer_set is transfer_set]
        temperatures = {setting.temperature for setting in mine}
        assert {0.5, 16.0} <= temperatures
        if transfer_set is not TransferSet.PUBLIC:
            assert {0.0, 1.0} <= {setting.alpha for setting in mine}


def test_without_the_teachers_part_one_temperature_is_enough() -> None:
    without = [setting for setting in candidate_settings(open_space()) if setting.alpha == 0]
    assert {setting.transfer_set for setting in without} == {
        *(TransferSet.STUDENT, TransferSet.TEACHER, TransferSet.BOTH)
    }
    assert len(without) == 3
    mixed = candidate_settings(open_space(transfer_set=["student", "student_public"]))
    assert {setting.transfer_set for setting in mixed if setting.alpha == 0} == {TransferSet.STUDENT}, (
        "the same labels"
    )
    assert {1.0} < {setting.alpha for setting in mixed if setting.transfer_set is TransferSet.STUDENT_PUBLIC}


def test_a_grid_is_considered_as_it_is() -> None:
    grid = read_space("poster_sweep")
    assert set(candidate_settings(grid)) == set(grid.grid())


WIDE = open_space(
    method=["plain", "balanced", "trust"],
    transfer_set=["student", "both", "public", "student_public"],
    label_prior=["none", "adjusted"],
    learning_rate={"low": 0.003, "high": 0.08, "log": True},
    epochs=[10, 20, 40],
)
CONSIDERED = candidate_settings(WIDE)


@pytest.mark.parametrize("space", [open_space(), read_space("poster_sweep"), *former_spaces("private")])
def test_a_space_with_a_small_lattice_is_considered_whole(space: Space) -> None:
    assert is_small(space)


@pytest.mark.parametrize(
    "space",
    [WIDE, *(read_space(name).resolved(read_study_config("digits")) for name in ("default", "private"))],
    ids=lambda space: space.name,
)
def test_a_large_space_is_not_and_its_candidates_are_few_enough_for_the_driver(space: Space) -> None:
    considered = candidate_settings(space)
    assert not is_small(space)
    assert 500 < len(considered) < 1_000
    assert len(set(map(plain, considered))) == len(considered)


@pytest.mark.parametrize("epochs", [10, 20, 40])
@pytest.mark.parametrize("transfer_set", ["student", "both"])
@pytest.mark.parametrize("label_prior", LabelPrior)
def test_training_without_a_teacher_is_considered_at_each_budget(
    epochs: int, transfer_set: str, label_prior: LabelPrior
) -> None:
    """What a winner with a teacher is compared with: the same examples, budget and correction."""
    rates = {
        setting.learning_rate
        for setting in CONSIDERED
        if (setting.alpha, setting.transfer_set, setting.label_prior, setting.epochs)
        == (0, transfer_set, label_prior, epochs)
    }
    assert {0.003, 0.08} < rates


@pytest.mark.parametrize("epochs", [10, 20, 40])
def test_the_default_setting_is_considered_at_each_budget(epochs: int) -> None:
    rates = {
        setting.learning_rate
        for setting in CONSIDERED
        if setting == replace(DEFAULT, learning_rate=setting.learning_rate, epochs=epochs)
    }
    assert {0.003, 0.08} < rates


def test_every_method_is_considered_with_every_transfer_set() -> None:
    pairs = {(setting.method, setting.transfer_set) for setting in CONSIDERED if setting.alpha != 0}
    assert pairs == set(product(WIDE.method, WIDE.transfer_set))


@given(st.sampled_from(CONSIDERED))
def test_a_neighbour_lies_one_step_away_in_the_space(setting: Setting) -> None:
    for neighbour in neighbours(WIDE, setting):
        assert neighbour in WIDE
        assert neighbour == plain(neighbour)
        differing = {name for name, value in neighbour.values().items() if value != setting.values()[name]}
        if TransferSet.PUBLIC in (setting.transfer_set, neighbour.transfer_set):
            differing -= {"alpha", "label_prior"}
        if neighbour.alpha == 0:  # T and method have no effect there.
            differing -= {"temperature", "method"}
        if neighbour.alpha == 1:  # Nor has the label prior here, without trust.
            differing = differing - {"label_prior"} or {"label_prior"}
        assert len(differing) == 1


@given(st.sampled_from([setting for setting in CONSIDERED if setting in WIDE]))
def test_every_dimension_that_has_an_effect_can_be_moved_in(setting: Setting) -> None:
    moved = {
        name
        for neighbour in neighbours(WIDE, setting)
        for name, value in neighbour.values().items()
        if value != setting.values()[name]
    }
    without_effect = {"temperature", "method"} if setting.alpha == 0 else set[str]()
    assert moved >= set(WIDE.dimensions) - without_effect - {"label_prior", "alpha"}


@given(st.sampled_from([setting for setting in CONSIDERED if setting in WIDE and setting.alpha != 0]))
def test_a_step_to_another_name_or_number_of_epochs_leads_back(setting: Setting) -> None:
    for neighbour in neighbours(WIDE, setting):
        same = neighbour.method is setting.method and neighbour.epochs == setting.epochs
        if not same and neighbour.alpha != 0:
            assert setting in neighbours(WIDE, neighbour)


def test_a_setting_outside_of_the_space_has_no_neighbours() -> None:
    assert DEFAULT not in WIDE
    assert neighbours(WIDE, DEFAULT) == ()
