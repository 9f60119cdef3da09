from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from autokd.records import TrialRecord, TrialState
from autokd.report import page
from autokd.setting import DEFAULT
from tests.report.samples import TRIALS, make_recommendation, trial

pytestmark = pytest.mark.slow

AS_IT_WAS = trial(0, DEFAULT, TrialState.COMPLETE, (10, 0.6))


@dataclass(frozen=True)
class Seen:
    """What the browser made of a page: the document after its scripts ran, and what it complained about."""

    document: str
    console: list[str]


@pytest.fixture
def look(tmp_path: Path) -> Callable[[str], Seen]:
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        if os.environ.get("AUTOKD_REQUIRE_SERVERS"):
            pytest.fail("chromium is not installed")
        pytest.skip("chromium is not installed")

    def open_in_browser(text: str) -> Seen:
        path = tmp_path / "page.html"
        path.write_text(text, encoding="utf-8")
        quiet = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking")
        profile = f"--user-data-dir={tmp_path / 'profile'}"
        run = ("--virtual-time-budget=5000", "--enable-logging=stderr", "--dump-dom", path.as_uri())
        done = subprocess.run(
            [browser, *quiet, profile, *run], capture_output=True, text=True, timeout=120, check=True
        )
        return Seen(done.stdout, re.findall(r".*CONSOLE.*", done.stderr))

    return open_in_browser


def figures(document: str) -> set[str]:
    """Names of the figures that plotly has drawn."""
    return {
        name
        for name in ("landscape", "curves")
        if re.search(rf'id="{name}" class="[^"]*js-plotly-plot.*?<svg class="main-svg"', document, re.DOTALL)
    }


def marks(document: str) -> tuple[int, int]:
    """How many marks the two figures hold; those of the legend are of another class."""
    landscape, curves = (
        len(re.findall(r'<path class="point"', part)) for part in document.split('id="curves"')
    )
    return landscape, curves


@pytest.mark.parametrize(
    ("trials", "expected"),
    [
        # Four trials ended, three of them had reported; two rings.
        pytest.param(TRIALS, (4 + 2, 3), id="all ways to end"),
        # The ends of the colour scale fall together.
        pytest.param([AS_IT_WAS], (1 + 1, 1), id="the default alone, and no better or worse"),
    ],
)
def test_both_figures_are_drawn_with_all_their_marks_and_no_complaint(
    look: Callable[[str], Seen], trials: Sequence[TrialRecord], expected: tuple[int, int]
) -> None:
    seen = look(page(make_recommendation(trials)))
    assert figures(seen.document) == {"landscape", "curves"}
    assert marks(seen.document) == expected
    assert seen.console == []


def test_the_browser_is_kept_from_fetching_anything(look: Callable[[str], Seen]) -> None:
    image = '<img src="https://example.org/seen.png">'
    (complaint,) = look(page(make_recommendation()).replace("</header>", f"{image}</header>")).console
    assert "Content Security Policy" in complaint
