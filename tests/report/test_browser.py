from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from autokd.core.records import TrialRecord, TrialState
from autokd.core.setting import DEFAULT, Pair
from tests.browser import Browser, Seen, chromium
from tests.report.federations import BAD, GOOD, make_material, page_of, swept_run
from tests.report.samples import HOT, TRIALS, trial

pytestmark = pytest.mark.slow

PAIR = Pair(0, 1)
OWN = (0.5, 0.6, 0.4, 0.5)
AS_IT_WAS = trial(0, DEFAULT, TrialState.COMPLETE, (10, 0.6))
# What only the browser knows, written where the test can read it.
TELL = """
const tell = () => {
  const pairs = [...document.querySelectorAll(".pair")];
  const shown = pairs.filter((one) => getComputedStyle(one).display !== "none");
  document.body.dataset.shown = shown.map((one) => one.id).join(" ");
  document.body.dataset.fetched = performance.getEntriesByType("resource").length;
  const root = document.documentElement;
  document.body.dataset.overflow = root.scrollWidth - root.clientWidth;
};
setTimeout(tell, 6000);
"""
CLICK = """setTimeout(() => document.querySelector('.matrix a[href="#pair-0-1"]').click(), 2000);"""
SORT = """
setTimeout(() => {
  const head = [...document.querySelectorAll("th button")].find((one) => one.textContent === "accuracy, %");
  head.click();
  head.click();
}, 2000);
"""


@pytest.fixture
def browser(tmp_path: Path) -> Browser:
    return Browser(chromium(), tmp_path)


def figures(document: str) -> set[str]:
    """Names of the figures that plotly has drawn."""
    return {
        name
        for name, holder in re.findall(r'data-figure="([\w-]+)"[^>]*?class="([^"]*)"', document)
        + [
            (name, kind)
            for kind, name in re.findall(r'class="([^"]*)"[^>]*?data-figure="([\w-]+)"', document)
        ]
        if "js-plotly-plot" in holder
    }


def told(seen: Seen, name: str) -> str:
    found = re.search(rf'<body[^>]*data-{name}="([^"]*)"', seen.document)
    assert found is not None
    return found[1]


def marks(document: str) -> tuple[int, int]:
    """How many marks landscape and curves hold; those of the legend are of another class."""
    _, landscape, curves = re.split(r'data-figure="(?:landscape|curves)"', document)
    return len(re.findall(r'<path class="point"', landscape)), len(re.findall(r'<path class="point"', curves))


@pytest.mark.parametrize(
    ("trials", "expected"),
    [
        # Four trials ended, three of them had reported; two rings.
        pytest.param(TRIALS, (4 + 2, 3), id="all ways to end"),
        # The ends of the colour scale fall together.
        pytest.param([AS_IT_WAS], (1 + 1, 1), id="the default alone, and no better or worse"),
    ],
)
def test_the_figures_of_a_pair_are_drawn_with_all_their_marks_and_no_complaint(
    browser: Browser, trials: Sequence[TrialRecord], expected: tuple[int, int]
) -> None:
    seen = browser.look(page_of(make_material(OWN, {PAIR: GOOD}, trials=trials), PAIR), then=SORT)
    assert figures(seen.document) == {"landscape", "curves", "classes"}
    assert marks(seen.document) == expected
    assert seen.console == []
    # Sorted by accuracy, the best first, those without one at the end.
    rows = re.findall(r"<tr>(?:(?!</tr>).)*?<td[^>]*>(\d+)</td><td[^>]*>(?:baseline|search)", seen.document)
    assert rows == (["4", "1", "0", "2", "3"] if trials is TRIALS else ["0"])


def test_a_click_in_a_matrix_opens_the_pair_and_draws_it(browser: Browser) -> None:
    gains = {PAIR: GOOD, PAIR.reverse: BAD}
    swept = {pair: [swept_run(HOT, 0.7), swept_run(DEFAULT, 0.5)] for pair in gains}
    text = page_of(make_material(OWN, gains, swept=swept))
    before = browser.look(text, then=TELL)
    ofall = {"histograms", "accuracies", "forgetting", "best-settings", "importance", "anytime"}
    assert (told(before, "shown"), figures(before.document), before.console) == ("", ofall, [])
    after = browser.look(text, then=CLICK + TELL, width=800)
    assert told(after, "shown") == "pair-0-1"
    assert after.document.count('data-drawn="yes"') == 2  # the page itself, and this pair
    assert figures(after.document) == ofall | {"landscape", "curves", "classes"}
    assert after.console == []
    for seen in (before, after):
        assert told(seen, "fetched") == "0"
        assert int(told(seen, "overflow")) <= 0


def test_the_browser_is_kept_from_fetching_anything(browser: Browser) -> None:
    image = '<img src="https://example.org/seen.png">'
    text = page_of(make_material(OWN, {PAIR: GOOD}), PAIR).replace("<noscript>", f"{image}<noscript>")
    (complaint,) = browser.look(text).console
    assert "Content Security Policy" in complaint
