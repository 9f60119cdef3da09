"""One form for names of classes, whatever they were."""

from __future__ import annotations

import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autokd.core.class_names import alike, class_name, class_names

text = st.text(min_size=1, max_size=20, alphabet=st.characters(exclude_categories=["Cs"])).filter(
    lambda name: bool(unicodedata.normalize("NFC", name).strip())
)


@given(text)
def test_the_form_is_that_of_nfc_and_stays(name: str) -> None:
    once = class_name(name)
    assert once == unicodedata.normalize("NFC", name)
    assert class_name(once) == once
    assert {class_name(unicodedata.normalize(form, name)) for form in ("NFC", "NFD")} == {once}


@given(st.integers(-(10**9), 10**9))
def test_numbers_are_the_names_that_they_spell(number: int) -> None:
    assert class_name(number) == class_name(str(number)) == class_name(np.int64(number)) == str(number)


@pytest.mark.parametrize(
    ("written", "names"),
    [
        (["a", "b"], ("a", "b")),
        ([9, 8, 0], ("9", "8", "0")),
        (np.array([1, 2], dtype=np.uint8), ("1", "2")),
        (np.array(["ant", "bee"]), ("ant", "bee")),
        ([b"ant", np.bytes_(b"bee")], ("ant", "bee")),
        (["Ka\u0308fer"], ("K\u00e4fer",)),
        ([("tench", "Tinca tinca"), ("goldfish",)], ("tench", "goldfish")),
        ([("crane", "bird"), ("crane", "machine")], ("crane, bird", "crane, machine")),
        ((name for name in "xy"), ("x", "y")),
        (["a", "A", " a"], ("a", "A", " a")),
    ],
)
def test_names_of_every_kind(written: object, names: tuple[str, ...]) -> None:
    assert class_names(written) == names  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("written", "words"),
    [
        (["a", "b", "a"], ("'a' twice", "0 and 2")),
        (["K\u00e4fer", "Ka\u0308fer"], ("twice", "\\xe4", "\\u0308", "the same name")),
        (["1", 1], ("'1' twice", "the same name")),
        ([True, False], ("true is no class name", "quotes")),
        ([None], ("nothing (null)", "quotes")),
        ([1.5], ("1.5", "quotes")),
        ([""], ("empty",)),
        (["  "], ("empty",)),
        (["K\udce4fer"], ("Latin-1", "\\udce4")),
        (["x" * 300], ("longer than 255",)),
        ([[]], ("no class name",)),
        ([("crane",), ("crane",)], ("'crane' twice",)),
        ([b"K\xe4fer"], ("UTF-8",)),
    ],
)
def test_what_is_no_name_or_the_name_of_two_is_refused(written: list[object], words: tuple[str, ...]) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011
        class_names(written)
    for word in words:
        assert word in str(refused.value)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("Ant", "ant"),
        ("polar bear", "polar_bear"),
        ("polar-bear", "PolarBear"),
        (" ant", "ant"),
        ("0 - zero", "0"),
        ("0 - zero", "Zero"),
        ("3: cat", "cat"),
        ("007", "7"),
        ("\uff21nt", "ant"),
        ("Stra\u00dfe", "STRASSE"),
    ],
)
def test_names_that_seem_to_mean_one_class_get_a_hint(left: str, right: str) -> None:
    assert alike([left, "other"], [right, "more"]) == [(left, right)]
    assert alike([right, "other"], [left, "more"]) == [(right, left)]


@given(st.lists(text, max_size=5), st.lists(text, max_size=5))
def test_only_names_that_differ_get_a_hint(left: list[str], right: list[str]) -> None:
    for left_name, other in alike(left, right):
        assert left_name in left
        assert other in right
        assert left_name not in right
        assert other not in left


def test_names_that_one_source_tells_apart_are_two() -> None:
    assert alike(["a", "A"], ["A"]) == []
