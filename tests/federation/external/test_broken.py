"""What does not hold of recipes, checkpoints and data: a line with file and field, and nothing written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Command
from tests.federation.external.broken import CASES, P0, P1, Case, move
from tests.federation.external.conftest import edit


def snapshot(folder: Path) -> set[tuple[str, bytes]]:
    return {
        (str(file.relative_to(folder)), file.read_bytes()) for file in folder.rglob("*") if file.is_file()
    }


def test_there_are_enough_of_them() -> None:
    assert len(CASES) >= 30
    assert len({case.name for case in CASES}) == len(CASES)


def test_what_is_whole_passes(here: Command, mine: Path) -> None:
    before = snapshot(mine.parent)
    report = here("check", "mine/mine.yaml", "--json").json()
    assert report["problems"] == []
    assert report["participants"][0]["accuracy"] == 1.0
    assert snapshot(mine.parent) == before


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_is_broken_is_told_by_file_and_field(here: Command, mine: Path, case: Case) -> None:
    case.change(mine)
    before = snapshot(mine.parent)
    outcome = here("check", "mine/mine.yaml")
    assert (outcome.code, outcome.out) == (2, ""), outcome
    problems = [line for line in outcome.err.splitlines() if line.startswith("error: ")]
    (line,) = [
        problem for problem in problems if problem.startswith(f"error: mine/mine.yaml: {case.field}: ")
    ]
    for word in case.words:
        assert word in line
    assert "Traceback" not in outcome.err
    # A command that would have begun to work says the same, in one line.
    refused = here("prepare", "--study", "mine/mine.yaml")
    assert (refused.code, refused.out) == (2, ""), refused
    (only,) = refused.err.splitlines()
    assert only.startswith(problems[0].partition(" (and ")[0])
    assert snapshot(mine.parent) == before


def test_all_problems_are_in_one_list(here: Command, mine: Path) -> None:
    for name in ("no data", "NaN weights", "leak between splits"):
        next(case for case in CASES if case.name == name).change(mine)
    outcome = here("check", "mine/mine.yaml", "--json")
    assert outcome.code == 2
    problems = json.loads(outcome.out)["problems"]
    assert {problem["field"] for problem in problems} >= {f"{P1}.data", f"{P0}.checkpoint"}
    assert all(problem["file"] == "mine/mine.yaml" for problem in problems)
    refused = here("prepare", "--study", "mine/mine.yaml")
    assert f"(and {len(problems) - 1} more; autokd check lists them)" in refused.err


def test_duplicates_may_be_dropped(here: Command, mine: Path) -> None:
    move("part1/dots/000.png", "test/dots/999.png")(mine)
    edit(mine, lambda recipe: recipe["federation"]["splits"].update(duplicates="drop"))
    report = here("check", "mine/mine.yaml", "--json").json()
    assert report["splits"]["test"] == 12
