"""What new users once stumbled over, each tried again by a command on one prepared store."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from autokd.core.action import Action
from benchmarks.decisions import by_the_rule
from tests.cli.conftest import Command, refused
from tests.fuzz.harness import FORBIDDEN
from tests.paths import ROOT

OLD = ROOT / "tests" / "compatibility"
ACTIONS = {action.value.replace("_", " ") for action in Action}
INTERVAL = r"([+-][\d.]+) \[([+-][\d.]+), ([+-][\d.]+)\]"


_LISTED: dict[tuple[str, ...], list[dict[str, Any]]] = {}


@pytest.fixture(scope="module")
def where(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """Twelve tuned pairs, one of them explained."""
    home = tmp_path_factory.mktemp("findings") / "home"
    shutil.unpack_archive(OLD / "home.zip", home)
    return "--study", str(OLD / "small.yaml"), "--home", str(home)


def _every_pair(here: Command, where: tuple[str, ...]) -> list[dict[str, Any]]:
    """All recommendations; read once."""
    if where not in _LISTED:
        _LISTED[where] = json.loads(here("recommend", "--all", *where, "--json").out)
    return _LISTED[where]


def _begins_with_what_to_do(here: Command, where: tuple[str, ...]) -> None:
    # One pair of each action.
    by_action = {entry["decision"]["action"]: entry["pair"] for entry in _every_pair(here, where)}
    assert len(by_action) >= 4
    for action, pair in by_action.items():
        shown = here("recommend", "--pair", "{teacher},{student}".format(**pair), *where).out
        assert shown.startswith(f"{action.replace('_', ' ')}  participant {pair['student']}: ")
        assert ("it gains " in shown.partition("\ngain of participant")[0]) is (action != "keep")


def _is_decided_by_the_rule(here: Command, where: tuple[str, ...]) -> None:
    entries = _every_pair(here, where)
    assert len(entries) == 12
    for entry in entries:
        decision = entry["decision"]
        assert decision["name"] == by_the_rule(decision["weighed"])["name"]


def _distill_refuses_what_is_shown_to_be_worse(here: Command, where: tuple[str, ...]) -> None:
    shown = here("distill", "--pair", "3,1", *where, "--out", "student.safetensors")
    assert "let participant 3 train" in shown.err
    refused(shown, "shown to be better", "--force")


def _one_decision_for_each_participant(here: Command, where: tuple[str, ...]) -> None:
    advice = here("advise", "--all", *where)
    rows = [line for line in advice.out.splitlines() if re.match(r"\d ", line)]
    assert len(rows) == 4
    assert all(any(action in row for action in ACTIONS) for row in rows)
    (student,) = (row.split()[0] for row in rows if row.startswith("1 "))
    advice_of_one = here("advise", "--student", student, *where, "--json").json()
    assert advice_of_one["chosen_among"] > len(advice_of_one["decision"]["weighed"])


def _decisions_lead_in_lists_and_matrices(here: Command, where: tuple[str, ...]) -> None:
    listed = here("recommend", "--all", *where).out
    assert listed.splitlines()[0].split()[:2] == ["pair", "decision"]
    assert "gain of the decision on test in pp; " in listed
    assert here("recommend", "--all", *where, "--out", "pairs.csv").code == 0
    head = Path("pairs.csv").read_text().splitlines()[0].split(",")
    assert head.index("decision") < head.index("verdict")


def _a_name_that_nobody_has_is_one_line(here: Command, where: tuple[str, ...]) -> None:
    for command in ("tune", "recommend", "advise", "sweep"):
        shown = here(command, "--student", "alice", *where)
        refused(shown, "--student", "'alice'")
        assert not FORBIDDEN.search(shown.err)


def _extended_is_named(here: Command, where: tuple[str, ...]) -> None:
    assert "extended" in here("tune", "--help").out
    shown = here("tune", "--pair", "0,1", "--space", "nowhere", *where)
    refused(shown, "extended")


def _marks_agree_with_their_intervals(here: Command, where: tuple[str, ...]) -> None:
    shown = here("explain", "--pair", "0,1", *where)
    assert "nothing was left to do" in shown.err
    rows = [line for line in shown.out.splitlines() if len(re.findall(INTERVAL, line)) == 2]
    assert len(rows) > 8
    marked = 0
    for row in rows:
        _, low, high = re.findall(INTERVAL, row)[1]
        if row.rstrip().endswith("wins"):
            assert float(low) > 0, row
        elif row.rstrip().endswith("loses"):
            assert float(high) < 0, row
        marked += row.rstrip().endswith(("wins", "loses"))
    assert marked


def _one_figure_has_one_interval(here: Command, where: tuple[str, ...]) -> None:
    for entry in _every_pair(here, where):
        gains = [way["gain"] for way in entry["decision"]["weighed"] if way["name"] == "the default setting"]
        assert gains == [entry["default_gain"]]


def _the_page_leads_with_decisions(here: Command, where: tuple[str, ...]) -> None:
    assert here("report", *where, "--out", "all.html").code == 0
    page = Path("all.html").read_text()
    for words in ('<a class="skip" href="#main">', "What to do in 12 pairs: "):
        assert words in page
    assert page.index('id="owners"') < page.index('id="pairs"') < page.index('id="matrices"')


def _a_page_of_two_pairs_looks_like_one(here: Command, where: tuple[str, ...]) -> None:
    assert here("report", *where, "--pair", "0,1", "--out", "one.html").code == 0
    page = Path("one.html").read_text()
    assert "none is advised" not in page
    assert set(re.findall(r'class="pair-title">(\d-&gt;\d)', page)) <= {"0-&gt;1", "1-&gt;0"}


def _cost_is_said_before(here: Command, where: tuple[str, ...]) -> None:
    shown = here("tune", "--all", "--effort", "thorough", "--dry-run", *where)
    assert re.search(r"to do: about [\d,]+ runs of 12 pairs, [\d,]+ epochs", shown.out + shown.err)
    help_text = here("tune", "--help").out
    assert "--confirm-above" in help_text
    assert "quick|normal|thorough" in help_text


def _recommend_repeats_to_the_last_digit(here: Command, where: tuple[str, ...]) -> None:
    first, second = (here("recommend", "--pair", "0,1", *where, "--json").out for _ in range(2))
    assert first == second


FINDINGS: dict[str, Callable[[Command, tuple[str, ...]], None]] = {
    "the first line is not what to do": _begins_with_what_to_do,
    "another way was better than the answer": _is_decided_by_the_rule,
    "distill hands out the worse model without a word": _distill_refuses_what_is_shown_to_be_worse,
    "ninety answers for ten owners": _one_decision_for_each_participant,
    "verdicts lead, not decisions": _decisions_lead_in_lists_and_matrices,
    "raw pydantic text for --student alice": _a_name_that_nobody_has_is_one_line,
    "extended is missing": _extended_is_named,
    "-0.8 [-3.5, +1.9] loses": _marks_agree_with_their_intervals,
    "two intervals for one figure": _one_figure_has_one_interval,
    "a page without a reader's path": _the_page_leads_with_decisions,
    "a page of two pairs full of blanks": _a_page_of_two_pairs_looks_like_one,
    "cost is known only afterwards": _cost_is_said_before,
    "what repeats is not known": _recommend_repeats_to_the_last_digit,
}


@pytest.mark.parametrize("finding", FINDINGS)
def test_it_is_no_longer_so(finding: str, here: Command, where: tuple[str, ...]) -> None:
    FINDINGS[finding](here, where)


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("README.md", ("6 GB", "pip install", "CPU-only", "container", "autokd advise --all")),
        ("docs/recipes.md", ("--concurrency 1", "--effort", "`extended`")),
    ],
)
def test_the_docs_say_what_was_missing(page: str, words: tuple[str, ...]) -> None:
    text = (ROOT / page).read_text()
    assert [word for word in words if word not in text] == []
