"""`autokd list` and `autokd delete`, as they are typed."""

from __future__ import annotations

import io
import shutil
import sys
from pathlib import Path

import pytest

from autokd.cli.list import size
from tests.cli.conftest import Command, refused
from tests.paths import ROOT

STUDIES = "small-f25d0576/small-default-da3d86ee"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The home of an earlier version."""
    shutil.unpack_archive(ROOT / "tests" / "compatibility" / "home.zip", tmp_path / "home")
    return tmp_path / "home"


class Terminal(io.StringIO):
    """Standard input of somebody who answers."""

    def isatty(self) -> bool:
        return True


def test_studies_are_listed_for_people_and_for_programs(here: Command, home: Path) -> None:
    shown = here("list", "--home", home).out.splitlines()
    assert shown[0].startswith("small-f25d0576: prepared 20")
    assert f"  {STUDIES}: 12 pairs, 96 trials, 92 runs; 7 tuned, 5 default; 2026-" in shown[1]
    assert "  small-f25d0576/small-rivals-4872bade: 1 pair, 26 runs" in shown
    studies = here("list", "--home", home, "--json").json()
    (federation,) = studies["federations"]
    assert federation["studies"][0]["verdicts"] == {"tuned": 7, "default": 5}
    assert studies["bytes"] == (home / "autokd.db").stat().st_size


def test_an_empty_home_has_nothing(here: Command, tmp_path: Path) -> None:
    assert here("list").out == "nothing is stored under autokd-home\n"
    assert here("list", "--json").json()["federations"] == []
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_deleted_without_a_yes(here: Command, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    refused(here("delete", STUDIES, "--home", home), "would delete 12 pairs", "--yes")
    for answer in ("n\n", ""):
        monkeypatch.setattr(sys, "stdin", Terminal(answer))
        asked = here("delete", STUDIES, "--home", home)
        assert asked.code == 1
        assert f"delete 12 pairs, 96 trials, 92 runs of {STUDIES}?" in asked.err
        assert "nothing was deleted" in asked.err
    monkeypatch.setattr(sys, "stdin", Terminal("y\n"))
    assert "deleted 12 pairs" in here("delete", STUDIES, "--home", home).out
    assert STUDIES not in here("list", "--home", home).out


def test_a_federation_goes_with_everything(here: Command, home: Path) -> None:
    gone = here("delete", "small-f25d0576", "--home", home, "--yes", "--json").json()
    assert gone["federation"] == "small-f25d0576"
    assert len(gone["studies"]) == 17
    assert here("list", "--home", home).out.startswith("nothing is stored")
    refused(here("delete", "small-f25d0576", "--home", home, "--yes"), "nothing stored has the name")


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 bytes"), (999, "999 bytes"), (445_057, "445 kB"), (2_350_000, "2.35 MB")]
)
def test_sizes_in_words(number: int, text: str) -> None:
    assert size(number) == text
