from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from autokd.config.space import Space, read_space
from autokd.config.study import Forbidden, StudyConfig
from autokd.config.yaml_files import shipped
from autokd.core.setting import (
    DEFAULT,
    SEARCHABLE,
    BatchNorm,
    LabelPrior,
    Method,
    Pair,
    Position,
    Setting,
    TransferSet,
)
from autokd.errors import InputError, PlanError, UnknownName
from tests.search.worlds import TINY, open_space


@pytest.mark.parametrize("name", shipped("search_spaces"))
def test_every_shipped_space_can_be_read_and_is_called_as_its_file(name: str) -> None:
    assert read_space(name).name == name


def test_the_sweep_has_the_76_settings_of_the_design() -> None:
    grid = read_space("poster_sweep").grid()
    assert len(grid) == len(set(grid)) == 76
    assert {setting.temperature for setting in grid} == {1, 2, 4, 8}
    assert {setting.alpha for setting in grid} == {0.1, 0.3, 0.5, 0.7, 0.9, 1, None}
    assert sum(setting.transfer_set is TransferSet.PUBLIC for setting in grid) == 4
    assert DEFAULT in grid


def test_private_moves_nothing_private() -> None:
    private = {TransferSet.TEACHER, TransferSet.BOTH}
    assert private.isdisjoint(read_space("private").transfer_set)
    assert set(read_space("private").transfer_set) == set(SEARCHABLE) - private


def test_a_continuous_space_has_no_grid() -> None:
    with pytest.raises(ValueError, match="no grid"):
        open_space().grid()


EXTENDED = open_space(
    temperature=[1, 4],
    alpha=[0.5],
    method=["plain", "ensemble"],
    learning_rate={"low": 0.001, "high": 0.1, "log": True},
    epochs=[5, 20],
    batch_norm=["frozen"],
)


@pytest.mark.parametrize(
    "other",
    [
        {"learning_rate": None},
        {"learning_rate": 0.2},
        {"epochs": 10},
        {"batch_norm": BatchNorm.TRAIN},
        {"method": Method.TRUST},
    ],
    ids=str,
)
def test_outside_in_one_dimension_is_outside(other: dict[str, object]) -> None:
    inside = Setting(
        4, 0.5, TransferSet.BOTH, Method.ENSEMBLE, learning_rate=0.01, epochs=20, batch_norm=BatchNorm.FROZEN
    )
    assert inside in EXTENDED
    assert replace(inside, **other) not in EXTENDED  # type: ignore[arg-type, operator]


def test_where_a_space_does_not_speak_of_it_nothing_else_is_inside() -> None:
    setting = Setting(2, 0.25, TransferSet.BOTH)
    assert setting in open_space()
    for other in ({"method": Method.ENSEMBLE}, {"epochs": 10}, {"learning_rate": 0.01}):
        assert replace(setting, **other) not in open_space()
    assert set(open_space().dimensions) == {"temperature", "alpha", "transfer_set"}


def test_a_grid_has_every_combination() -> None:
    grid = open_space(
        temperature=[1, 4],
        alpha=[0.2, 0.5],
        transfer_set=["public", "both"],
        method=["plain", "trust"],
        epochs=[5, 10],
    ).grid()
    assert len(set(grid)) == len(grid) == (2 * 2 + 2) * 2 * 2
    assert all(setting.transfer_set is TransferSet.PUBLIC for setting in grid[-8:])


@pytest.mark.parametrize(
    ("setting", "inside"),
    [
        (DEFAULT, False),
        (Setting(2, 0.25, TransferSet.BOTH), True),
        (Setting(2, 0.3, TransferSet.BOTH), False),
        (Setting(2, None, TransferSet.PUBLIC), True),
        (Setting(5, None, TransferSet.PUBLIC), False),
        (Setting(3, 0, TransferSet.TEACHER), False),
    ],
)
def test_membership(setting: Setting, inside: bool) -> None:
    space = open_space(temperature={"low": 2, "high": 4}, alpha=[0, 0.25], transfer_set=["both", "public"])
    assert (setting in space) is inside


def test_positions_say_which_pairs_are_searched_and_the_pair_itself_comes_first() -> None:
    pair = Pair(4, 9)
    assert open_space().pairs(pair) == (pair, Pair(9, 4))
    assert open_space(position=["teacher", "student"]).pairs(pair) == (pair, Pair(9, 4))
    assert open_space(position=[Position.TEACHER]).pairs(pair) == (Pair(9, 4),)


@pytest.mark.parametrize(
    ("text", "field", "hint"),
    [
        ("temperature: {low: 0, high: 2}", "temperature", "0 is not"),
        ("temperature: [-1]", "temperature", "positive"),
        ("temperature: {low: 3, high: 2}", "temperature", "above high"),
        ("temperature: {low: 1, hihg: 2}", "temperature.hihg", "known here: low, high, log"),
        ("temperature: []", "temperature", "at least 1"),
        ("temperature: warm", "temperature", "'warm'"),
        ("temperature: [1, 1]", "temperature", "twice"),
        ("temperature: .nan", "temperature", "nan"),
        ("alpha: [0.5, 1.5]", "alpha", "1.5 does not"),
        ("alpha: {low: -0.1, high: 1}", "alpha", "[0, 1]"),
        (
            "transfer_set: [own]",
            "transfer_set.0",
            "'both', 'public' or 'student_public'",
        ),
        ("transfer_set: [student, student]", "transfer_set", "twice"),
        ("position: [left]", "position.0", "'student' or 'teacher'"),
        ("learning_rate: [0, 1]", "learning_rate", "must be positive; 0 is not"),
        ("epochs: [0]", "epochs.0", "1"),
        ("method: [magic]", "method.0", "'plain', 'data_partitioning'"),
        (
            "transfer_set: [validation]",
            "transfer_set.0",
            "'both', 'public' or 'student_public'",
        ),
        ("batch_norm: [moving]", "batch_norm.0", "'train' or 'frozen'"),
        ("label_prior: [even]", "label_prior.0", "'none' or 'adjusted'"),
        ("optimizer: [adam]", "optimizer", "unknown field; known here: name, temperature"),
    ],
)
def test_what_does_not_hold_names_file_field_and_allowed_values(
    tmp_path: Path, text: str, field: str, hint: str
) -> None:
    fields = {
        "name": "mine",
        "temperature": "[1, 2]",
        "alpha": "[0.5]",
        "transfer_set": "[student]",
    }
    key, _, value = text.partition(": ")
    fields[key] = value
    file = tmp_path / "mine.yaml"
    file.write_text("\n".join(f"{name}: {content}" for name, content in fields.items()))
    with pytest.raises(PlanError) as caught:
        read_space(str(file))
    assert (caught.value.source, caught.value.field) == (str(file), field)
    assert hint in str(caught.value)


def test_an_unknown_name_lists_what_there_is() -> None:
    with pytest.raises(UnknownName, match=r"known: default, .*Did you mean 'private'"):
        read_space("privat")


def test_what_is_forbidden_is_not_searched_although_dimensions_were_read_before() -> None:
    space = open_space()
    assert "both" in space.dimensions["transfer_set"]
    left = space.permitted(Forbidden(transfer_sets=("both",)))
    assert "both" not in left.dimensions["transfer_set"]


def test_what_a_plan_forbids_is_no_part_of_the_space() -> None:
    space = open_space()
    assert space.permitted(Forbidden()) == space
    left = space.permitted(Forbidden(transfer_sets=("teacher", "both"), positions=("teacher",)))
    assert left.transfer_set == (TransferSet.STUDENT, TransferSet.PUBLIC)
    assert left.position == (Position.STUDENT,)
    assert left.temperature == space.temperature


def test_where_public_is_forbidden_nothing_public_is_trained_on() -> None:
    forbidding = {**TINY, "forbid": {"transfer_sets": ["public"]}}
    config = StudyConfig.model_validate(forbidding)
    everything = open_space(transfer_set=[*map(str, SEARCHABLE)])
    left = everything.permitted(config.forbidden)
    assert left.transfer_set == (TransferSet.STUDENT, TransferSet.TEACHER, TransferSet.BOTH)
    with pytest.raises(InputError, match=r"student_public cannot be used: the study recipe forbids"):
        config.with_asked(["T=1,alpha=0.5,transfer_set=student_public"])
    only_mixed = Forbidden(transfer_sets=("student_public",))
    assert TransferSet.PUBLIC in everything.permitted(only_mixed).transfer_set


def test_a_space_of_which_nothing_is_left_is_refused() -> None:
    with pytest.raises(PlanError, match=r"forbid\.transfer_sets: leaves nothing of the space open"):
        open_space(transfer_set=["both"]).permitted(Forbidden(transfer_sets=("both",)))
    with pytest.raises(PlanError, match=r"forbid\.positions: leaves nothing"):
        open_space(position=["teacher"]).permitted(Forbidden(positions=("teacher",)))


ADJUSTING = open_space(temperature=[1, 4], alpha=[0, 0.5], label_prior=["none", "adjusted"])


def test_label_priors_are_searched_where_there_are_labels() -> None:
    grid = ADJUSTING.grid()
    labelled = len(ADJUSTING.transfer_set) - 1
    assert len(set(grid)) == len(grid) == labelled * 2 * 2 * 2 + 2
    assert all(setting in ADJUSTING for setting in grid)
    assert {setting.label_prior for setting in grid if setting.transfer_set is TransferSet.BOTH} == set(
        LabelPrior
    )
    adjusting_only = open_space(label_prior=["adjusted"])
    assert Setting(4, None, TransferSet.PUBLIC) in adjusting_only
    assert Setting(4, 0.5, TransferSet.BOTH) not in adjusting_only
    assert replace(DEFAULT, label_prior=LabelPrior.ADJUSTED) not in open_space(temperature=[1], alpha=[0.5])


def test_a_space_that_names_the_usual_label_prior_is_the_one_that_names_none() -> None:
    assert open_space(label_prior=["none"]).model_dump() == open_space().model_dump()
    assert "label_prior" in ADJUSTING.model_dump()


COUNTING = open_space(method=["plain", "seen_classes", "balanced"])


def test_without_class_counts_priors_are_estimated() -> None:
    told_nothing = COUNTING.permitted(Forbidden(class_counts=True))
    assert told_nothing.method == (Method.PLAIN, Method.BALANCED_ESTIMATED)
    both = open_space(method=["balanced_estimated", "balanced"]).permitted(Forbidden(class_counts=True))
    assert both.method == (Method.BALANCED_ESTIMATED,)
    nothing_public = Forbidden(class_counts=True, transfer_sets=("public",))
    assert COUNTING.permitted(nothing_public).method == (Method.PLAIN,)
    assert COUNTING.permitted(Forbidden()) == COUNTING


def test_a_space_that_has_nothing_but_counting_methods_is_refused_without_counts() -> None:
    with pytest.raises(PlanError, match=r"forbid\.class_counts: leaves nothing of the space open"):
        open_space(method=["seen_classes"]).permitted(Forbidden(class_counts=True))


def test_a_space_is_a_value() -> None:
    assert Space.model_validate(read_space("default").model_dump()) == read_space("default")
