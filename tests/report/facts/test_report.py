"""Facts are computed once, whoever shows them."""

from __future__ import annotations

import inspect
import sys
from collections import Counter
from functools import wraps
from typing import Any

import pytest

from autokd.core.setting import DEFAULT, Pair
from autokd.report import ReportFacts, page
from autokd.report.charts import all_charts
from autokd.report.dashboard import presentation
from autokd.report.facts import report
from tests.report.federations import BAD, GOOD, make_material, swept_run
from tests.report.samples import HOT, make_recommendation

PAIR = Pair(0, 1)
OF_A_PAIR = {"importance_of", "landscape_facts", "curve_facts", "class_rows", "trial_rows", "pair_provenance"}
OF_ALL = {
    "answer_facts",
    "pair_rows",
    "participant_rows",
    "participants_facts",
    "headline_facts",
    "matrices",
    "poster_tables",
    "best_facts",
    "forgotten",
    "group_rows",
    "round_rows",
    "importance",
    "cost_facts",
    "anytime_facts",
    "provenance_facts",
}


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each function that computes facts was called, from whatever module."""
    counts: Counter[str] = Counter()

    def counted(name: str, function: Any) -> Any:
        @wraps(function)
        def call(*arguments: Any, **more: Any) -> Any:
            counts[name] += 1
            return function(*arguments, **more)

        return call

    modules = [module for name, module in sys.modules.items() if name.startswith("autokd.report")]
    functions = {
        name: function
        for name, function in vars(report).items()
        if inspect.isfunction(function) and function.__module__.startswith("autokd.report.facts.")
    }
    assert functions.keys() == OF_A_PAIR | OF_ALL | {"chosen_setting"}  # That one only looks it up.
    for name in OF_A_PAIR | OF_ALL:
        for module in modules:
            if vars(module).get(name) is functions[name]:
                monkeypatch.setattr(module, name, counted(name, functions[name]))
    return counts


def test_page_and_files_share_the_facts(calls: Counter[str]) -> None:
    swept = {PAIR: [swept_run(HOT, 0.7), swept_run(DEFAULT, 0.6)]}
    facts = ReportFacts(make_material((0.5, 0.6), {PAIR: GOOD, PAIR.reverse: BAD}, swept=swept))
    page(facts)
    assert len(list(all_charts(facts))) == 6 + 7 + 2 * 3
    assert calls == {**dict.fromkeys(OF_ALL, 1), **dict.fromkeys(OF_A_PAIR, 2)}


def test_the_page_of_a_pair_needs_the_facts_of_that_pair_only(calls: Counter[str]) -> None:
    facts = ReportFacts(make_material((0.5, 0.6), {PAIR: GOOD, PAIR.reverse: BAD}), PAIR)
    page(facts)
    assert [chart.name for chart in all_charts(facts)] == ["0-1-landscape", "0-1-curves", "0-1-classes"]
    assert calls == dict.fromkeys({*OF_A_PAIR, "provenance_facts"}, 1)


def test_the_dashboard_needs_each_fact_once(calls: Counter[str]) -> None:
    presentation(make_recommendation(), reproduce="again")
    assert calls == {"landscape_facts": 1, "curve_facts": 1, "importance_of": 1}
