"""The report as users meet it: one command, one file, the numbers of `recommend --json`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.browser import Browser, chromium
from tests.cli.conftest import Command, Tuned

OPEN = """
setTimeout(() => document.querySelector('.of-pairs a[href="#pair-4-9"]').click(), 2000);
setTimeout(() => {
  const pair = document.getElementById("pair-4-9");
  document.body.dataset.read = getComputedStyle(pair).display === "none" ? "hidden" : pair.innerText;
}, 6000);
"""


def test_before_anything_was_tuned_there_is_a_page_that_says_so(here: Command, tmp_path: Path) -> None:
    done = here("report", "--home", "nothing")
    assert (done.code, done.out) == (0, "wrote report.html; open it in a browser\n")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "No federation has been prepared yet; <code>autokd prepare --home nothing</code>" in text
    assert not (tmp_path / "nothing").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--pair", "4,4"), "--pair: '4,4': a participant cannot teach itself"),
        (("--pair", "4,19"), "participant 19 does not exist"),
        (("--out", "missing/report.html"), "--out missing/report.html: cannot be written"),
        (("--study", "none"), "no study is called 'none'"),
    ],
)
def test_what_cannot_be_done_is_one_line(here: Command, arguments: tuple[str, ...], message: str) -> None:
    done = here("report", "--home", "nothing", *arguments)
    assert done.code == 2
    assert message in done.err
    assert len(done.err.splitlines()) == 1


@pytest.mark.slow
@pytest.mark.ray
def test_a_pdf_is_for_no_browser(here: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("autokd.report.pdf.writer_of", lambda path: lambda page, path: None)
    done = here("report", "--home", "nothing", "--out", "report.pdf")
    assert (done.code, done.out) == (0, "wrote report.pdf\n")


def test_the_browser_shows_the_numbers_of_recommend(here: Command, tuned: Tuned, tmp_path: Path) -> None:
    program = chromium()
    made = here("report", "--out", "all.html", "--home", tuned.home, "--json").json()
    assert made == {"path": "all.html", "pairs": 2, "figures": 0}
    seen = Browser(program, tmp_path).look((tmp_path / "all.html").read_text(encoding="utf-8"), then=OPEN)
    assert seen.console == []
    read = re.search(r'data-read="(.*?)">', seen.document, re.DOTALL)
    assert read is not None
    recommendation = here("recommend", "--pair", "4,9", "--home", tuned.home, "--json").json()
    assert recommendation["advice"].replace("->", "-&gt;") in read[1]
    assert f"Position {recommendation['position']['advice']}:" in read[1]
    decided, ways = recommendation["decided_on"], recommendation["position"]["intervals"]
    position = recommendation["position"]["decided_on"]
    gains = [recommendation["default_gain"], decided["default_gain"]]
    # The page tells what the comparisons do of the own model without its prior: one gain, one interval.
    gains += [part[name] for part in (ways, position) for name in ways if name != "gain_by_correction"]
    gains += [part["corrected_gain"] for part in (recommendation, decided)]
    if recommendation["candidate"] is not None:
        gains += [recommendation["candidate"]["gain"], decided["candidate_gain"]]
        gains += [recommendation["improvement"], decided["improvement"]]
    for gain in gains:
        assert shown(gain) in read[1]
    trials = sum(recommendation["trials"].values())
    assert f"{trials} trials, figures on validation" in read[1]


def shown(interval: dict[str, Any]) -> str:
    return "{mean:+.1f} pp [{low:+.1f}, {high:+.1f}]".format(**interval)
