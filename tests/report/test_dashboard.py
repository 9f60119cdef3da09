"""What is shown of a pair in Optuna Dashboard."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
from markdown_it import MarkdownIt

from autokd.core.records import TrialRecord, TrialState
from autokd.core.setting import Setting, TransferSet
from autokd.report.dashboard import MOST_BYTES, attributes, fitted, note, presentation, slim
from autokd.report.data import PairData
from autokd.report.facts.dimensions import importance_of
from autokd.report.facts.pairs import curve_facts
from autokd.report.facts.report import PairFacts
from autokd.report.figures.common import Figure
from autokd.report.figures.pairs import curve_figure
from autokd.text.escaping import one_line
from autokd.workflows.dashboard.pairs import titled
from tests.report.samples import BASELINE, HOT, STOPPED, TRIALS, WON, make_recommendation, trial

COMMAND = "autokd tune --study digits --space default --pair 0,1 --trials 32"


DIED_AT_ONCE = trial(0, BASELINE.setting, TrialState.FAIL, reason="loss became nan at step 1")


def plain(text: str) -> str:
    """As the dashboard shows it: a backslash before a sign takes its meaning."""
    return re.sub(r"\\([^\w\s])", r"\1", text)


def test_the_note_says_the_recommendations_own_numbers() -> None:
    recommendation = make_recommendation()
    text = plain(note(recommendation, reproduce=COMMAND))
    assert text.startswith(
        "## 0->1: learn +20.0 pp\n\n**Participant 1: learn from participant 0 with T=4 α=0.1"
    )
    assert "### The setting: tuned\n\nuse T=4 α=0.1 on both" in text
    assert recommendation.judgement is not None
    for interval in (
        recommendation.gain,
        recommendation.judgement.test.default_gain,
        recommendation.judgement.confirmation.improvement,
        recommendation.of_pair[1].test.by_adoption,
    ):
        assert str(interval) in text
    assert f"### Position: {recommendation.of_pair[1].advice.value}" in text
    assert f"    {COMMAND}\n    autokd recommend --pair 0,1 --json" in text
    assert recommendation.records.study in text


@pytest.mark.parametrize("name", ["`x`\n# heading", "<img src=x>", "\x1b[31m\u202e", "$x$|a"])
def test_names_in_the_note_are_text(name: str) -> None:
    text = note(make_recommendation(name=name), reproduce=f"autokd tune --study {name}")
    tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(text)
    assert [token.tag for token in tokens if token.type == "heading_open"] == ["h2", "h3", "h3", "h3"]
    inside = [child for token in tokens for child in token.children or ()]
    assert not any(token.type.startswith("html") for token in (*tokens, *inside))
    (study,) = [child.content for child in inside if child.type == "code_inline"]
    assert study == one_line(f"{name}/digits-0/0->1")
    assert one_line(name) in next(token.content for token in tokens if token.type == "code_block")


def test_attributes_are_small_and_plain() -> None:
    """Participant 1 is right on 60 % as it is, on 65 % by the default, on 80 % by the winner."""
    fields = attributes(make_recommendation())
    assert fields == {
        "title": "0->1: learn +20.0 pp",
        "decision": "learn",
        "what_to_do": "learn from participant 0 with T=4 α=0.1 on both",
        "decision_gain": 20.0,
        "verdict": "tuned",
        "gain": 20.0,
        "default_gain": 5.0,
        "setting": "T=4 α=0.1 on both",
        "position": "student",
    }


def test_what_matters_is_told_with_the_shares_of_the_report() -> None:
    text = presentation(make_recommendation(many(20)), reproduce=COMMAND).note
    importance = importance_of(many(20))
    assert importance.dimensions
    for dimension in importance.dimensions:
        assert f"{dimension.dimension.replace('_', ' ')} {dimension.share:.0%}" in text
    assert f"together {importance.together:.0%}" in text


def test_a_list_of_studies_shows_pair_and_decision_before_the_name() -> None:
    kept = {"study_id": 2, "study_name": "somebody's", "user_attrs": []}
    attributes_of_ours = [{"key": "title", "value": "0->1: learn +20.0 pp"}]
    ours = {"study_id": 1, "study_name": "digits-1/digits-0/0->1", "user_attrs": attributes_of_ours}
    shown = titled({"study_summaries": [ours, dict(kept)]})["study_summaries"]
    assert shown[0]["study_name"] == "0->1: learn +20.0 pp | digits-1/digits-0/0->1"
    assert shown[1] == kept


def test_a_failed_pair_has_a_note_and_no_numbers() -> None:
    recommendation = make_recommendation([DIED_AT_ONCE])
    shown = presentation(recommendation, reproduce=COMMAND)
    assert shown.note.startswith("## 0->1: keep\n")
    assert "### The setting: failed" in shown.note
    assert (shown.attributes["verdict"], shown.attributes["gain"]) == ("failed", None)
    assert shown.figures == {}


def test_nothing_in_a_text_is_carried_out() -> None:
    """The dashboard renders HTML, tables and formulas in a note."""
    reason = "died of <img src=x onerror=y> | $x$ `z`"
    text = note(replace(make_recommendation(), reason=reason), reproduce=COMMAND)
    assert reason in plain(text)
    assert not re.search(r"(?<!\\)<img", text)
    assert not re.search(r"(?<!\\)\$x", text)


def test_figures_are_the_pages_own_without_the_template() -> None:
    figures = presentation(make_recommendation(), reproduce=COMMAND).figures
    assert figures.keys() == {"landscape", "curves"}
    for text in figures.values():
        content = json.loads(text)
        assert content["data"]
        assert not {"template", "height"} & content["layout"].keys()
    drawn = curve_figure(curve_facts([trial for trial in TRIALS if trial.curve], HOT, own=0.6))
    assert figures["curves"] == slim(drawn)
    accuracies = [
        curve["y"][-1] for curve in json.loads(figures["curves"])["data"] if curve["y"][-1] is not None
    ]
    assert {55.0, 70.0, 20.0} <= set(accuracies)


def many(trials: int) -> list[TrialRecord]:
    others = [
        trial(
            2 + number,
            Setting(1 + number / 7, number / trials, TransferSet.BOTH),
            TrialState.COMPLETE if number % 2 else TrialState.PRUNED,
            *((epoch, 0.3 + number / (4 * trials)) for epoch in (3, 6, 10)),
        )
        for number in range(trials)
    ]
    return [BASELINE, WON, *others]


@pytest.mark.parametrize("trials", [32, 64])
def test_a_usual_study_is_shown_whole(trials: int) -> None:
    shown = presentation(make_recommendation(many(trials)), reproduce=COMMAND)
    assert all(len(figure.encode()) < MOST_BYTES for figure in shown.figures.values())
    assert "leaves out" not in shown.note


def test_a_very_long_one_is_thinned_out_and_says_so() -> None:
    shown = presentation(make_recommendation(many(400)), reproduce=COMMAND)
    assert all(len(figure.encode()) < MOST_BYTES for figure in shown.figures.values())
    (left_out,) = re.findall(r"The figure \*curves\* leaves out (\d+) trials", shown.note)
    ends = [trace for trace in json.loads(shown.figures["curves"])["data"] if trace.get("hovertext")]
    assert sum(len(end["hovertext"]) for end in ends) == 402 - int(left_out)


def test_the_default_and_the_chosen_one_are_the_last_to_go() -> None:
    best = trial(9, Setting(2.0, 0.5, TransferSet.BOTH), TrialState.COMPLETE, (10, 0.99))
    seen: list[list[int]] = []

    def draw(facts: PairFacts) -> Figure:
        seen.append(sorted(trial.number for trial in facts.data.records.trials))
        return curve_figure(facts.curves)

    recommendation = make_recommendation()
    data = PairData(records=recommendation.records, recommendation=recommendation)
    _, shown = fitted(PairFacts(data).with_trials([BASELINE, WON, STOPPED, best]), draw, most=1)
    assert seen == [[0, 1, 2, 9], [0, 1], [1]]
    assert shown == 1
