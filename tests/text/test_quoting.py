from __future__ import annotations

import itertools
from datetime import date
from typing import Any

import pytest
from hypothesis import given

from autokd.text.quoting import did_you_mean, one_of, quoted
from tests.fuzz.odd import values


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "nothing (null)"),
        (True, "true"),
        ("a", "'a'"),
        (0.1, "0.1"),
        (10**5000, "a whole number of about 5001 digits"),
        (-(10**5000), "a whole number of about 5001 digits"),
        ([1], "a list"),
        ([], "an empty list"),
        ({"a": 1}, "fields (name: value)"),
        (date(2024, 2, 29), "2024-02-29"),
        (object(), "a value of type object"),
    ],
    ids=itertools.count(),
)
def test_a_value_is_quoted_in_plain_words(value: object, words: str) -> None:
    assert quoted(value) == words


@given(values)
def test_a_quote_is_short_whatever_the_value(value: Any) -> None:
    assert 0 < len(quoted(value)) <= 120


def test_names_are_listed_and_guessed() -> None:
    assert [one_of(names) for names in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == [
        "",
        "a",
        "a or b",
        "a, b or c",
    ]
    assert did_you_mean("studnet", ["student", "teacher"]) == "; did you mean student?"
    assert did_you_mean("STUDENT", ["student", "teacher"]) == "; did you mean student?"
    for written in ("x", "", 3):
        assert did_you_mean(written, ["student"]) == ""
