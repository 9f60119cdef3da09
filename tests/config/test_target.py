"""Target distributions as recipes and options name them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autokd.config.target import in_order, read_target, target
from autokd.errors import PlanError


@pytest.mark.parametrize("text", ["common", "own", {"a": 0.25, "b": 0.75}, {0: 1, 1: 0}])
def test_a_target_is_what_it_says(text: str | dict[str | int, float]) -> None:
    shares = target(text)
    assert shares == (text if isinstance(text, str) else {str(name): share for name, share in text.items()})
    assert target(shares) == shares


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ("mine", "must be common, own, or class shares"),
        (3, "must be common, own, or class shares"),
        ({"a": 0.5, "b": 0.4}, "add up to 0.9; they must add up to 1"),
        ({}, "add up to 0"),
        ({"a": -0.5, "b": 1.5}, "class a: -0.5 is no share"),
        ({"a": float("nan"), "b": 1}, "class a: nan is no share"),
        ({"a": "half", "b": 0.5}, "class a: 'half' is no share"),
        ({"a": True}, "class a: true is no share"),
    ],
)
def test_what_is_no_target_is_refused(asked: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        target(asked)


@given(st.lists(st.floats(0.01, 1), min_size=2, max_size=12))
def test_rounded_shares_add_up_to_one_in_the_order_of_the_classes(raw: list[float]) -> None:
    shares = {str(number): round(share / sum(raw), 5) for number, share in enumerate(raw)}
    classes = sorted(shares, reverse=True)
    ordered = in_order(target(shares), classes, source="recipe")  # type: ignore[arg-type]
    assert sum(ordered) == pytest.approx(1, abs=1e-12)
    assert ordered == pytest.approx([shares[name] for name in classes], abs=1e-3)


@pytest.mark.parametrize(
    ("shares", "words"),
    [
        ({"a": 0.5, "d": 0.5}, "no class d; its classes: a, b, c"),
        ({"a": 1.0, "d": 0.0, "e": 0.0}, "no class d, e;"),
    ],
)
def test_shares_name_classes_of_the_federation(shares: dict[str, float], words: str) -> None:
    with pytest.raises(PlanError, match=words) as refused:
        in_order(shares, ("a", "b", "c"), source="study.yaml", field="target")
    assert str(refused.value).startswith("study.yaml: target: ")


def test_a_class_that_is_not_named_has_no_share() -> None:
    assert in_order({"b": 0.75, "a": 0.25}, ("a", "b", "c"), source="study.yaml") == [0.25, 0.75, 0]


def test_class_names_are_in_the_form_that_federations_have() -> None:
    """A combining accent and a number from YAML; and one class in two forms is named twice."""
    assert target({"cafe\u0301": 0.5, 7: 0.5}) == {"caf\u00e9": 0.5, "7": 0.5}
    with pytest.raises(ValueError, match="stands there twice"):
        target({"cafe\u0301": 0.5, "caf\u00e9": 0.5})
    with pytest.raises(ValueError, match="no class name"):
        target({None: 1.0})


def test_shares_are_read_from_a_file_or_from_text(tmp_path: Path) -> None:
    shares = {"a": 0.25, "b": 0.75}
    file = tmp_path / "shares.json"
    file.write_text(json.dumps(shares))
    for named in (file, str(file), json.dumps(shares), shares):
        assert read_target(named, option="--for") == shares
    assert read_target("own", option="--for") == "own"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "is not valid JSON"),
        ("[0.5, 0.5]", "class shares by class name"),
        ('{"a": 0.5, "a": 0.5}', "a: stands there twice"),
        ('{"a": 2}', "class a: 2 is no share"),
    ],
)
def test_a_bad_file_is_named_with_what_is_wrong(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "shares.json"
    file.write_text(text)
    with pytest.raises(PlanError, match=words) as refused:
        read_target(file, option="--for")
    assert str(refused.value).startswith(str(file))
    with pytest.raises(PlanError, match="cannot be read: No such file"):
        read_target(tmp_path / "missing.json", option="--for")
