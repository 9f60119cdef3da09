"""Slips of typing: each is one line that says what is wrong, and the way out; and what is understood."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest

from autokd.cli.shell import taken_by_the_shell
from tests.cli.conftest import Command, refused

SLIPS: dict[str, tuple[str, ...]] = {
    # Pairs
    "tune 4-": ("'4-' is not a pair", "an arrow needs quotes, as in '4->9'"),
    "tune 4-9": ("did you mean 4,9?",),
    "tune 4 9": ("'4' is not a pair", "--pair 4,9"),
    "tune 4": ("'4' is not a pair", "--pair 4,9"),
    "tune '9<-4'": ("did you mean 4,9?",),
    "tune 4,9,9,4": ("--pairs 4,9 9,4",),
    "tune '{0,3}->9'": ("--student 9 --teachers 0,3",),
    "tune 4,4": ("cannot teach itself", "two different participants"),
    "tune 4,10": ("participant 10 does not exist", "0 to 9"),
    "tune": ("say which pairs", "--pair 4,9"),
    "tune --pair": ("'--pair' requires an argument",),
    "tune --pair 4,9 --all": ("one of --pair 4,9",),
    "report --pair '4,9 9,4'": ("takes one pair", "'4,9 9,4'"),
    # Commands and options
    "tuna 4,9": ("tuna", "Did you mean", "tune"),
    "recomend 4,9": ("recomend", "recommend"),
    "tune 4,9 --trails 8": ("--trails", "--trials"),
    "tune 4,9 --trials many": ("--trials", "whole number", "'many'"),
    "tune 4,9 --trials 1": ("--trials", "at least 2"),
    "tune 4,9 --position studnet": ("--position", "did you mean student?"),
    "recommend --all --verdict tunned": ("--verdict", "did you mean tuned?"),
    "recommend --all --top 0": ("--top", "at least 1"),
    "tune 4,9 --try T=0": ("--try", "T=0"),
    "tune 4,9 --device gpu": ("--device", "use cpu or cuda"),
    "tune 4,9 --time 6hours": ("--time", "6h"),
    "tune 4,9 --log tensorbord": ("--log", "did you mean tensorboard?"),
    # Recipes and places
    "tune 4,9 --study digit": ("'digit'", "Did you mean 'digits'?"),
    "tune 4,9 --study mine.yml": ("mine.yml", "No such file"),
    "tune 4,9 --space defualt": ("'defualt'", "Did you mean 'default'?"),
    "tune 4,9 --home ''": ("must be a path, not ''",),
    "tune 4,9 --storage studies.db": ("'studies.db' is not a database URL",),
    "delete digits": ("nothing stored has the name 'digits'", "autokd list"),
    # Files
    "export --out table.xls": ("table.xls", ".parquet, .csv or .xlsx"),
    "report --out page.txt": ("page.txt", ".html or .pdf"),
    "recommend 4,9 --out pairs.txt": ("pairs.txt", "--json, --csv or --yaml"),
}


@pytest.mark.parametrize("line", SLIPS)
def test_a_slip_is_one_line_with_the_way_out(here: Command, line: str, tmp_path: Path) -> None:
    refused(here(*shlex.split(line)), *SLIPS[line])
    assert list(tmp_path.iterdir()) == []


def test_there_are_at_least_25() -> None:
    assert len(SLIPS) >= 25


@pytest.mark.parametrize(
    "typed",
    [
        ("4,9",),
        ("4->9",),
        ("4>9",),
        ("4:9",),
        ("4 -> 9",),
        ("--pairs", "4,9"),
        ("--pair", "4->9"),
        ("--pairs", "4:9"),
    ],
)
def test_a_pair_is_answered_alike_however_it_is_typed(here: Command, typed: tuple[str, ...]) -> None:
    refused(here("recommend", *typed), "run autokd tune --pair 4,9")


def test_the_file_that_a_shell_makes_of_an_arrow_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert taken_by_the_shell() == ""
    kept = [os.dup(stream) for stream in (1,)]
    with Path("9").open("w") as file:
        try:
            os.dup2(file.fileno(), 1)
            said, of_names = taken_by_the_shell(str.isdecimal), taken_by_the_shell(str.isalpha)
        finally:
            os.dup2(kept[0], 1)
            os.close(kept[0])
    assert "the file 9" in said
    assert "remove that file" in said
    assert of_names == ""


def test_study_and_space_may_be_in_the_environment(here: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOKD_STUDY", "digits_iid")
    monkeypatch.setenv("AUTOKD_SPACE", "private")
    refused(here("recommend", "4,9"), "nothing has been tuned", "study digits_iid")
    refused(here("recommend", "4,9", "--study", "digits"), "study digits;")
    monkeypatch.setenv("AUTOKD_SPACE", "privat")
    refused(here("recommend", "4,9"), "Did you mean 'private'?")
