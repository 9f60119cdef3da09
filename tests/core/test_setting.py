from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autokd.core.setting import (
    DEFAULT,
    BatchNorm,
    LabelPrior,
    Method,
    Pair,
    Schedule,
    Setting,
    TransferSet,
    derive_seed,
    described,
    moved,
    plain,
    tabulated,
    untaught,
)
from autokd.errors import PlanError
from tests.samples import settings

numbers = st.integers(0, 10**6)


def test_the_default_is_the_posters() -> None:
    assert (DEFAULT.temperature, DEFAULT.alpha, DEFAULT.transfer_set) == (1, 0.5, TransferSet.STUDENT)


@pytest.mark.parametrize("temperature", [0, -1, math.nan, math.inf])
def test_a_temperature_is_a_positive_number(temperature: float) -> None:
    with pytest.raises(ValueError, match="temperature"):
        Setting(temperature, 0.5, TransferSet.STUDENT)


@pytest.mark.parametrize("alpha", [-0.1, 1.1, math.nan])
def test_alpha_is_a_weight(alpha: float) -> None:
    with pytest.raises(ValueError, match="alpha"):
        Setting(1, alpha, TransferSet.BOTH)


@pytest.mark.parametrize("transfer_set", TransferSet)
def test_alpha_is_null_on_public_and_only_there(transfer_set: TransferSet) -> None:
    unlabelled = transfer_set is TransferSet.PUBLIC
    Setting(1, None if unlabelled else 0.5, transfer_set)
    with pytest.raises(ValueError, match="does not fit transfer set"):
        Setting(1, 0.5 if unlabelled else None, transfer_set)


@pytest.mark.parametrize("more", [{"learning_rate": 0}, {"learning_rate": math.nan}, {"epochs": 0}])
def test_what_a_run_is_trained_with_holds(more: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(more))):
        Setting(1, 0.5, TransferSet.BOTH, **more)  # type: ignore[arg-type]


@given(settings)
def test_a_setting_reads_what_it_writes(setting: Setting) -> None:
    assert Setting.from_json(json.loads(json.dumps(setting.to_json()))) == setting
    assert Setting.from_json(setting.values()) == setting


def test_an_ordinary_setting_is_written_as_ever() -> None:
    assert DEFAULT.to_json() == {"temperature": 1.0, "alpha": 0.5, "transfer_set": "student"}


def test_a_setting_says_all_that_it_is() -> None:
    setting = Setting(
        4,
        None,
        TransferSet.PUBLIC,
        Method.SEEN_CLASSES,
        learning_rate=0.003,
        epochs=20,
        batch_norm=BatchNorm.FROZEN,
    )
    text = "T=4 α=- on public, seen classes, learning rate 0.003, epochs 20, BatchNorm frozen"
    assert str(setting) == text
    assert str(DEFAULT) == "T=1 α=0.5 on student"


ADJUSTED = replace(DEFAULT, label_prior=LabelPrior.ADJUSTED)


def test_a_schedule_is_written_only_where_there_is_one() -> None:
    falling = replace(DEFAULT, schedule=Schedule.COSINE)
    assert "schedule" not in DEFAULT.to_json()
    assert falling.to_json() == {**DEFAULT.to_json(), "schedule": "cosine"}
    assert Setting.from_json(falling.to_json()) == falling
    assert falling.parameters() == {**DEFAULT.parameters(), "schedule": "cosine"}
    assert str(replace(falling, epochs=40)) == "T=1 α=0.5 on student, schedule cosine, epochs 40"
    assert "schedule" not in tabulated([DEFAULT, ADJUSTED])[0]
    assert [row["schedule"] for row in tabulated([DEFAULT, falling])] == [None, "cosine"]
    assert moved(falling, TransferSet.PUBLIC).schedule is Schedule.COSINE


def test_a_label_prior_is_written_only_where_there_is_one() -> None:
    assert str(ADJUSTED) == "T=1 α=0.5 on student, label prior adjusted"
    assert ADJUSTED.to_json() == {**DEFAULT.to_json(), "label_prior": "adjusted"}
    assert Setting.from_json(DEFAULT.to_json()).label_prior is LabelPrior.NONE
    assert "label_prior" not in tabulated([DEFAULT, DEFAULT])[0]
    assert [row["label_prior"] for row in tabulated([DEFAULT, ADJUSTED])] == ["none", "adjusted"]


def test_without_labels_there_is_no_prior_of_labels() -> None:
    with pytest.raises(ValueError, match="label_prior: adjusted has no meaning without labels"):
        Setting(1, None, TransferSet.PUBLIC, label_prior=LabelPrior.ADJUSTED)
    public = moved(ADJUSTED, TransferSet.PUBLIC)
    assert public == moved(DEFAULT, TransferSet.PUBLIC)
    assert public.parameters() == {"temperature": 1.0, "transfer_set": "public", "method": "plain"}
    assert moved(ADJUSTED, TransferSet.BOTH).label_prior is LabelPrior.ADJUSTED


def test_what_has_no_effect_makes_no_other_setting() -> None:
    alone = replace(ADJUSTED, alpha=1.0)
    assert plain(alone) == replace(DEFAULT, alpha=1.0)
    trusting = replace(alone, method=Method.TRUST)
    assert plain(trusting) == trusting, "a teacher that is trusted less leaves something to the label"
    assert untaught(ADJUSTED) == replace(ADJUSTED, alpha=0.0), "the teacher goes, the correction stays"


@given(settings)
def test_plain_twice_is_plain_once(setting: Setting) -> None:
    assert plain(plain(setting)) == plain(setting)


@given(numbers, numbers)
def test_a_pair_reads_what_it_writes(teacher: int, student: int) -> None:
    if teacher == student:
        with pytest.raises(PlanError, match="cannot teach itself"):
            Pair.parse(f"{teacher},{student}")
        return
    pair = Pair(teacher, student)
    assert Pair.parse(str(pair)) == Pair.parse(f" {teacher} , {student} ") == pair
    assert pair.reverse.reverse == pair
    assert pair.reverse.meeting == pair.meeting == {teacher, student}


@given(st.text(max_size=20))
def test_any_text_is_a_pair_or_an_error_that_names_the_field(text: str) -> None:
    try:
        assert max(Pair.parse(text, participants=10).meeting) < 10
    except PlanError as error:
        assert error.field == "--pair"  # noqa: PT017 - either outcome is right


@pytest.mark.parametrize("text", ["", "4", "4,9,1", "a,b", "4;9", "-1,2", "4.0,9", "٤,9", "4,9\n5"])
def test_what_is_no_pair_shows_how_to_write_one(text: str) -> None:
    with pytest.raises(PlanError, match=r"e\.g\. --pair 4,9"):
        Pair.parse(text)


def test_a_participant_that_does_not_exist_is_named_with_those_that_do() -> None:
    with pytest.raises(PlanError, match=r"participant 10 does not exist; .* numbered 0 to 9"):
        Pair.parse("4,10", participants=10)


def test_seeds_are_the_same_on_every_machine() -> None:
    """Pinned: a change would silently make other runs of every study there is."""
    assert derive_seed("digits", "4->9", 0) == 4513427638277769636
    assert derive_seed("a", 1) == derive_seed("a", 1)


@given(st.lists(st.one_of(numbers, st.text(max_size=5)), max_size=4))
def test_seeds_tell_parts_apart(parts: list[int | str]) -> None:
    seed = derive_seed(*parts)
    assert 0 <= seed < 2**63
    assert seed != derive_seed(*parts, "x")
    texts = [str(part) for part in parts]
    if any(isinstance(part, int) for part in parts):
        assert seed != derive_seed(*texts)


def test_a_setting_without_a_teacher_is_called_fine_tuning() -> None:
    tuning = Setting(temperature=3.0, alpha=0.0, transfer_set=TransferSet.BOTH)
    assert "fine-tuning on both" in described(tuning)
    assert (
        described(Setting(temperature=2.0, alpha=0.3, transfer_set=TransferSet.BOTH)) == "T=2 α=0.3 on both"
    )
    adjusted = replace(tuning, label_prior=LabelPrior.ADJUSTED)
    text = "fine-tuning on both, label prior adjusted (α = 0: the teacher is not used)"
    assert described(adjusted) == text
    longer = replace(tuning, learning_rate=0.05, schedule=Schedule.COSINE, epochs=40)
    assert described(longer) == (
        "fine-tuning on both, learning rate 0.05, schedule cosine, epochs 40 (α = 0: the teacher is not used)"
    )
