"""What may be a participant's name, and what a typed number or name means."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autokd.core.participant_names import NUMBERS_ONLY, ParticipantNames, participant_name, same_name
from autokd.core.setting import Pair
from autokd.errors import PlanError

NAMES = ParticipantNames.of(["hospital_a", None, "St. Mary's <north>", "klinik-süd"])


@pytest.mark.parametrize("name", ["hospital_a", "St. Mary's <north>", "4a", "v1.2b", "医院", "klinik süd"])
def test_names_are_texts(name: str) -> None:
    assert participant_name(name) == name
    assert participant_name(unicodedata.normalize("NFD", name)) == name


@pytest.mark.parametrize(
    "name",
    [
        "4",
        "-1",
        "1.5",
        "1e3",
        "1_000",
        "٤",
        "½",
        "nan",
        "inf",
        "4.",
        "1 000",
        "+4",
        "1/2",
        "10:30",
        "#4",
    ],
)
def test_what_looks_like_a_number_is_none(name: str) -> None:
    with pytest.raises(ValueError, match="looks like a number"):
        participant_name(name)


@pytest.mark.parametrize(
    "name",
    ["", " a", "a\n", "a\x00b", "\u200b", "a,b", "a->b", "{a}", "-a", "a" * 41, 4, None, "all", "best:2"],
)
def test_what_could_be_misread_is_refused(name: object) -> None:
    with pytest.raises(
        ValueError, match=r"must be a text|a name is|separates|looks like an option|means several"
    ):
        participant_name(name)


def test_names_differ_by_more_than_case() -> None:
    assert same_name(["a", None, None, "b"]) is None
    assert same_name(["Klinik", None, "KLINIK"]) == (0, 2)


@given(
    st.integers(0, 3), st.integers(0, 3), st.booleans(), st.booleans(), st.sampled_from([",", "->", " , "])
)
def test_numbers_and_names_mean_the_same(
    teacher: int, student: int, first: bool, second: bool, between: str
) -> None:
    typed = [
        NAMES.word(number) if by_name else str(number)
        for number, by_name in ((teacher, first), (student, second))
    ]
    if teacher == student:
        with pytest.raises(PlanError, match="cannot teach itself"):
            NAMES.pair(between.join(typed))
    else:
        assert NAMES.pair(between.join(typed)) == Pair(teacher, student)


def test_a_name_in_another_unicode_form_is_found() -> None:
    assert NAMES.number(unicodedata.normalize("NFD", " klinik-süd "), option="--student") == 3


@pytest.mark.parametrize(
    ("typed", "problem"),
    [
        ("hospital_b", "no participant 'hospital_b'.*did you mean hospital_a"),
        ("4", "numbered 0 to 3"),
        ("-1", "no participant"),
        ("", "no participant"),
        ("٣", "no participant"),
    ],
)
def test_what_nobody_is_called_is_refused_with_a_way_out(typed: str, problem: str) -> None:
    with pytest.raises(PlanError, match=problem) as raised:
        NAMES.number(typed, option="--student")
    assert raised.value.field == "--student"
    with pytest.raises(PlanError):
        NAMES.pair(f"hospital_a,{typed}")


def test_shown_with_their_numbers() -> None:
    pair = Pair(0, 1)
    assert (NAMES.arrow(pair), NAMES.label(0), NAMES.label(1)) == ("hospital_a->1", "0 hospital_a", "1")
    assert NAMES.beside(pair) == {"names": {"teacher": "hospital_a", "student": None}}
    assert (NUMBERS_ONLY.arrow(pair), NUMBERS_ONLY.label(7), NUMBERS_ONLY.beside(pair)) == ("0->1", "7", {})
