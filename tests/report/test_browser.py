from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from autokd.core.records import TrialRecord, TrialState
from autokd.core.setting import DEFAULT, Pair
from autokd.report import ReportFacts
from tests.browser import Browser, Seen, chromium
from tests.report.federations import BAD, GOOD, everybody, make_material, page_of, swept_run
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
CLICK = """setTimeout(() => document.querySelector('.of-pairs a[href="#pair-0-1"]').click(), 2000);"""
SORT = """
setTimeout(() => {
  const head = [...document.querySelectorAll("th button")].find((one) => one.textContent === "accuracy, %");
  head.click();
  head.click();
}, 2000);
"""


USE = """
setTimeout(() => {
  const told = document.body.dataset;
  const visible = (one) => one.getClientRects().length && !one.closest("details:not([open]) > :not(summary)");
  const focusable = "a[href], button, input, select, summary, [tabindex]";
  const stops = [...document.querySelectorAll(focusable)].filter((one) => one.tabIndex >= 0 && visible(one));
  told.stops = stops.length;
  const table = document.querySelector(".of-pairs");
  const rows = () => [...table.tBodies[0].rows].filter((row) => !row.hidden);
  const first = () => rows().map((row) => row.cells[0].textContent).join(" ");
  [...table.querySelectorAll("th button")].find((one) => one.textContent === "gain, pp").click();
  told.sorted = first();
  const find = document.querySelector("[data-find]");
  find.value = "->3";
  find.dispatchEvent(new Event("input", { bubbles: true }));
  told.found = first();
  told.count = document.querySelector("[data-shown]").textContent;
  const link = rows()[0].querySelector("a");
  link.focus();
  link.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowDown", bubbles: true }));
  told.focused = document.activeElement.textContent;
  const [one, other] = document.querySelectorAll("[data-compare] select");
  other.value = "2-3";
  other.dispatchEvent(new Event("change", { bubbles: true }));
  const heads = [...document.querySelector("[data-compared]").rows[0].cells];
  told.compared = heads.map((cell) => cell.textContent).join(" ");
}, 4000);
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


def attribute_of(seen: Seen, name: str) -> str:
    match = re.search(rf'<body[^>]*data-{name}="([^"]*)"', seen.document)
    assert match is not None
    return match[1]


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
    assert (attribute_of(before, "shown"), figures(before.document), before.console) == ("", ofall, [])
    after = browser.look(text, then=CLICK + TELL, width=800)
    assert attribute_of(after, "shown") == "pair-0-1"
    assert after.document.count('data-drawn="yes"') == 2  # the page itself, and this pair
    assert figures(after.document) == ofall | {"landscape", "curves", "classes"}
    assert after.console == []
    for seen in (before, after):
        assert attribute_of(seen, "fetched") == "0"
        assert int(attribute_of(seen, "overflow")) <= 0


def test_the_table_of_pairs_is_sorted_filtered_and_walked_through_and_two_pairs_are_compared(
    browser: Browser,
) -> None:
    gains = {pair: BAD if pair.student == 3 else GOOD for pair in everybody(4)}
    seen = browser.look(page_of(make_material(OWN, gains)), then=USE + TELL, width=390)
    assert seen.console == []
    assert int(attribute_of(seen, "overflow")) <= 0
    ordered = attribute_of(seen, "sorted").replace("-&gt;", "->").split()
    rows = ReportFacts(make_material(OWN, gains)).rows
    by_pair = {str(row.pair): row.gain.mean for row in rows}
    assert [by_pair[pair] for pair in ordered] == sorted(by_pair.values())
    pairs = attribute_of(seen, "found").replace("-&gt;", "->").split()
    assert sorted(pairs) == ["0->3", "1->3", "2->3"]
    assert attribute_of(seen, "count") == "3 of 12 pairs"
    assert attribute_of(seen, "focused").replace("-&gt;", "->") == pairs[1]
    assert attribute_of(seen, "compared").replace("-&gt;", "->").split() == ["0->1", "2->3"]
    # Twelve pairs in eight matrices and tables are no hundred stops of the tab key.
    assert int(attribute_of(seen, "stops")) < 60


def test_the_browser_is_kept_from_fetching_anything(browser: Browser) -> None:
    image = '<img src="https://example.org/seen.png">'
    text = page_of(make_material(OWN, {PAIR: GOOD}), PAIR).replace("<noscript>", f"{image}<noscript>")
    (complaint,) = browser.look(text).console
    assert "Content Security Policy" in complaint
