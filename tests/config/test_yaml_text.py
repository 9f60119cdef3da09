"""Odd YAML: one line with its place, and nothing that grows beyond what is written."""

from __future__ import annotations

import os
import time
from itertools import pairwise
from pathlib import Path

import pytest

from autokd.config.yaml_files import read_study_config
from autokd.config.yaml_text import parse
from autokd.errors import PlanError
from tests.fuzz.harness import FORBIDDEN

BOMB = "a: &a [1,1,1,1,1,1,1,1,1]\n" + "".join(
    f"{name}: &{name} [{','.join(['*' + before] * 9)}]\n" for before, name in pairwise("abcdefghij")
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name: " + "9" * 5000, "line 1, column 7.*looks like a whole number"),
        (
            "name: !!python/object/apply:os.system [echo]",
            "line 1, column 7.*!!python/object.*not allowed",
        ),
        ("name: !mine x", "tag !mine is not allowed"),
        ("a: !!binary aGk=", "tag !!binary is not allowed"),
        ("a: !!int x", "'x' looks like a whole number and is none; put it into quotes"),
        ("name: a\nname: b", "line 2, column 1.*'name' stands there twice"),
        ("a: {b: 1, b: 2}", "'b' stands there twice"),
        ("1: a\n1: b", "'1' stands there twice"),
        ("a:\n\tb: c", "line 2, column 1.*a tab"),
        ("a: 'x", "a quote is opened and never closed"),
        ("a: [1", "the end of the file is not expected here"),
        ("a: b: c", "no colon is expected here"),
        ("a: *b", "no anchor is called b"),
        ("a: &a [*a]", "an anchor holds itself"),
        (BOMB, "more than 200,000 values"),
        ("a: " + "[" * 5000, "nested too deeply"),
        ("a: " + "[" * 90 + "]" * 90, "nested too deeply"),
        ("a: \x00", r"character U\+0000"),
        (r'a: "\ud800"', "line 1, column 4.*no text in Unicode"),
        ("a: 1\n---\nb: 2", "line 2, column 1.*a second document"),
        ("<<: 3", "<< takes fields"),
        ("a: @b", "nothing begins with @"),
        ("? [a, b]\n: c", "a name must be text"),
        ("", "it is empty"),
        ("# nothing", "it is empty"),
        ("- a\n- b", "here is a list"),
        ("just text", "here is 'just text'"),
        ("epochs: 010", "010 is the number 8 in YAML"),
        ("epochs: 1:30", "1:30 is the number 90 in YAML"),
        ("a: 1_000:30", "1_000:30 is the number"),
    ],
)
def test_what_is_wrong_is_one_line_with_its_place(text: str, words: str) -> None:
    began = time.process_time()  # Others may keep this processor busy.
    with pytest.raises(PlanError, match=words) as caught:
        parse(text, source="mine.yaml")
    assert time.process_time() - began < 5
    said = str(caught.value)
    assert said.startswith("mine.yaml: ")
    assert "\n" not in said
    assert len(said) < 400
    assert not FORBIDDEN.search(said)


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ("a: &x {b: 1, c: 2}\nd: {<<: *x, c: 3}", {"a": {"b": 1, "c": 2}, "d": {"b": 1, "c": 3}}),
        (
            "a: &x {b: 1}\nc: &y {d: 2}\ne: {<<: [*x, *y]}",
            {"a": {"b": 1}, "c": {"d": 2}, "e": {"b": 1, "d": 2}},
        ),
        ("a: &x [1]\nb: *x", {"a": [1], "b": [1]}),
        ("a: 2024-13-45", {"a": "2024-13-45"}),
        ("a: 2024-02-29", {"a": "2024-02-29"}),
        ("a: 1_000", {"a": 1000}),
        ("a: 007", {"a": 7}),
        ("a: 0x10", {"a": 16}),
        ("a: =", {"a": "="}),
        ("options: {rate: 1e-1}", {"options": {"rate": 0.1}}),
        ("a: 1e-1", {"a": "1e-1"}),
    ],
)
def test_what_is_right_is_read(text: str, content: object) -> None:
    assert parse(text, source="mine.yaml") == content


def test_files_that_are_no_text_files(tmp_path: Path) -> None:
    (tmp_path / "folder.yaml").mkdir()
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "latin.yaml").write_bytes("# ok\nname: café\n".encode("latin-1"))
    (tmp_path / "wide.yaml").write_bytes("name: a".encode("utf-16"))
    with (tmp_path / "large.yaml").open("wb") as large:
        large.truncate(3 * 2**20)
    for name, words in {
        "folder": "Is a directory",
        "pipe": "a pipe or a device",
        "latin": r"not a text file in UTF-8 \(see line 2\)",
        "wide": "not a text file in UTF-8",
        "large": "is too large: 3.15 MB, and at most",
        "absent": "No such file",
        "zero\0": "zero byte in its name",
        "x" * 5000: "File name too long",
    }.items():
        with pytest.raises(PlanError, match=words):
            read_study_config(str(tmp_path / f"{name}.yaml"))
    with pytest.raises(PlanError, match="No such file"):
        read_study_config("~nobody-of-that-name/mine.yaml")


def test_a_byte_order_mark_is_no_part_of_a_recipe(tmp_path: Path) -> None:
    recipe = Path(__file__).parents[2] / "studies" / "digits.yaml"
    (tmp_path / "mine.yaml").write_bytes(b"\xef\xbb\xbf" + recipe.read_bytes())
    assert read_study_config(str(tmp_path / "mine.yaml")) == read_study_config("digits")
