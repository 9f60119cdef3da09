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
    "tune --pair=4-9": ("did you mean 4,9?",),
    "tune --pair 4 9": ("one of --pair 4,9", "did you mean 4,9?"),
    "tune --pair 4,9 9,4": ("for several pairs, --pairs 4,9 9,4",),
    "tune '[4, 9]'": ("did you mean 4,9?",),
    "tune --pair '4 to 9'": ("did you mean 4,9?",),
    "tune --pair four,nine": ("'four,nine' is not a pair", "--pair 4,9"),
    "tune all": ("did you mean --all?",),
    "tune 4,9 --all": ("only one of --pair 4,9",),
    "tune --student 9 --teachers best": ("e.g. best:4",),
    "tune --student 9 --teachers 9": ("participant 9 cannot teach itself", "leave it out"),
    "tune --teachers 0,3": ("say who learns: --student 9",),
    "advise --student nine": ("there is no participant 'nine'", "numbered 0 to 9"),
    "advise 9": ("did you mean --student 9?",),
    "explain 4,9": ("did you mean --pair 4,9?",),
    "status digits": ("did you mean --study digits?",),
    # Commands and options
    "tuna 4,9": ("tuna", "Did you mean", "tune"),
    "recomend 4,9": ("recomend", "recommend"),
    "tune 4,9 --trails 8": ("--trails", "--trials"),
    "tune 4,9 --studdy digits": ("--studdy", "--study"),
    "tune --all --dry_run": ("--dry_run", "--dry-run"),
    "tune 4,9 --server http://127.0.0.1:8321": ("autokd --server URL tune",),
    "status --json true": ("unexpected argument 'true'", "autokd status --help"),
    "stroe check": ("Did you mean 'store'",),
    "help tune": ("No such command 'help'", "autokd --help"),
    "token create --name ci": ("'--scope'. Choose from: read, tune, admin;",),
    "token create --name ci --scope read --expires 30": ("'30' is no time", "2d"),
    "tune 4,9 --trials many": ("--trials", "whole number", "'many'"),
    "tune 4,9 --trials 1": ("--trials", "at least 2"),
    "tune 4,9 --position studnet": ("--position", "did you mean student?"),
    "recommend --all --verdict tunned": ("--verdict", "did you mean tuned?"),
    "recommend --all --top 0": ("--top", "at least 1"),
    "recommend --all --top -1": ("--top", "at least 1"),
    "recommend --all --verdict Tuned": ("--verdict", "did you mean tuned?"),
    "recommend --all --json --csv": ("--json and --csv", "choose one"),
    "tune --all --time 6": ("'6' is no time", "6h"),
    "tune --all --time '6 hours'": ("'6 hours' is no time", "6h"),
    "tune --all --time 6h --epochs 5": ("--time and --epochs", "one budget"),
    "tune --all --share-of-sweep 5%": ("--share-of-sweep", "must be a number"),
    "tune --all --effort fast": ("--effort", "'quick', 'normal', 'thorough'"),
    "tune 4,9 --precision fp16": ("--precision", "'bfloat16'"),
    "tune 4,9 --try temperature=4": ("transfer_set is missing", "T=4,alpha=0.9,transfer_set=both"),
    "tune 4,9 --try 'T=4;alpha=0.9'": ("is not one NAME=VALUE", "T=4,alpha=0.9,transfer_set=both"),
    "distill --pair 4,9 --out s.safetensors --temperature 4": ("--transfer-set: is missing", "--alpha"),
    "tune 4,9 --try T=0": ("--try", "T=0"),
    "tune 4,9 --device gpu": ("--device", "use cpu or cuda"),
    "tune 4,9 --time 6hours": ("--time", "6h"),
    "tune 4,9 --log tensorbord": ("--log", "did you mean tensorboard?"),
    # Recipes and places
    "tune 4,9 --study digit": ("'digit'", "Did you mean 'digits'?"),
    "tune 4,9 --study mine.yml": ("mine.yml", "No such file"),
    "tune digits": ("'digits' is not a pair", "--study digits"),
    "tune mine.yaml --pair 4,9": ("one of --pair 4,9", "--study mine.yaml"),
    "tune 4,9 --study DIGITS": ("Did you mean 'digits'?",),
    "tune 4,9 --study digits.yaml": ("the shipped one is called digits",),
    "tune 4,9 --study .": ("is a folder", "mine.yaml"),
    "check mine.yaml": ("No such file", "autokd init mine.yaml"),
    "check --study digts": ("Did you mean 'digits'?",),
    "prepare digits": ("did you mean --study digits?",),
    "tune 4,9 --home /etc/passwd": ("Not a directory", "--home"),
    "tune 4,9 --storage mongodb://x/y": ("'mongodb' is not supported", "postgresql://"),
    "tune 4,9 --ray-address head": ("HOST:PORT",),
    "tune 4,9 --space defualt": ("'defualt'", "Did you mean 'default'?"),
    "tune 4,9 --home ''": ("must be a path, not ''",),
    "tune 4,9 --storage studies.db": ("'studies.db' is not a database URL",),
    "delete digits": ("nothing stored has the name 'digits'", "autokd list"),
    # Files
    "export --out table.xls": ("table.xls", ".parquet, .csv or .xlsx"),
    "report --out page.txt": ("page.txt", ".html or .pdf"),
    "report --out .": ("--out .", ".html or .pdf"),
    "export --out /tmp": ("/tmp", ".parquet, .csv or .xlsx"),
    "distill --pair 4,9 --out student.pt": ("student.pt", ".safetensors"),
    "init mine.txt": ("mine.txt", ".yaml"),
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
    monkeypatch.setenv("AUTOKD_SERVER", "localhost:8321")
    refused(here("recommend", "4,9"), "must be an address such as http://127.0.0.1:8321")
