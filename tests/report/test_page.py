from __future__ import annotations

import base64
import gzip
import json
import re
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from plotly.offline import get_plotlyjs

from autokd.claims.claim import Claim, Status
from autokd.config.external import ExternalFederation
from autokd.core.records import TrialState
from autokd.core.setting import Pair, Split
from autokd.errors import InputError
from autokd.explanation.attribution import Attribution, Step
from autokd.explanation.comparison import Line
from autokd.explanation.explanation import Explanation
from autokd.recommendation import Verdict
from autokd.report import ReportData, ReportFacts, write
from autokd.report.charts import federation_charts
from autokd.statistics.paired import Interval
from tests.report.federations import (
    BAD,
    GOOD,
    LOST,
    everybody,
    make_federation,
    make_material,
    page_of,
    swept_run,
)
from tests.report.samples import HOT, TRIALS, WARM, trial

OWN = (0.3, 0.4, 0.5, 0.6)
PAIR = Pair(0, 1)
HOSTILE = """</script><script>alert("ü")</script><img src=x onerror='alert(1)'>"""


def own_part(text: str) -> str:
    """The page without plotly.js."""
    return text.replace(get_plotlyjs(), "")


def words(text: str) -> str:
    """What a reader sees, scripts and tags left out."""
    bare = re.sub(r"<(script|style).*?</\1>", "", own_part(text), flags=re.DOTALL)
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", bare)))


def packed(text: str) -> list[dict[str, Any]]:
    """What the browser unpacks, in the order in which it stands on the page."""
    blocks = re.findall(r'class="packed">(.*?)</script>', own_part(text), re.DOTALL)
    return [json.loads(gzip.decompress(base64.b64decode(block))) for block in blocks]


@pytest.fixture(scope="module")
def half_done() -> ReportData:
    """One pair of each kind: judged for and against, dead, under way; the others were not begun."""
    gains = {PAIR: GOOD, PAIR.reverse: BAD, Pair(2, 3): LOST}
    swept = {PAIR: [swept_run(HOT, 0.5)], Pair(3, 0): [swept_run(HOT, 0.5)]}
    return make_material(OWN, gains, unfinished=[Pair(1, 2)], swept=swept)


def test_a_pair_says_what_its_recommendation_says(half_done: ReportData) -> None:
    recommendation = half_done.recommendations[PAIR]
    for text in (page_of(half_done), page_of(half_done, PAIR)):
        text_shown = words(text)
        for expected in (
            recommendation.advice,
            recommendation.reason,
            recommendation.of_pair[1].why,
            recommendation.records.study,
        ):
            assert expected in text_shown
        assert recommendation.judgement is not None
        for figures in (recommendation.judgement.test, recommendation.judgement.confirmation):
            for gain in (figures.default_gain, figures.winner_gain, figures.improvement):
                assert str(gain) in text_shown
        for ways in (recommendation.of_pair[1].test, recommendation.of_pair[1].confirmation):
            assert str(ways.as_student) in text_shown
            assert str(ways.as_teacher) in text_shown
            assert str(ways.by_adoption) in text_shown


def test_a_pair_has_its_figures_and_its_trials(half_done: ReportData) -> None:
    (content,) = packed(page_of(half_done, PAIR))
    assert set(content) == {"landscape", "curves", "classes", "trials"}
    names = [column["name"] for column in content["trials"]["columns"]]
    rows = [dict(zip(names, row, strict=True)) for row in content["trials"]["rows"]]
    assert [row["trial"] for row in rows] == [0, 1, 2, 3, 4]
    assert rows[1]["temperature"] == 4
    assert rows[1]["accuracy, %"] == pytest.approx(70)
    assert rows[1]["gain, pp"] == pytest.approx(30)
    assert rows[3]["what happened"] == "loss became nan at step 3"
    assert rows[3]["gain, pp"] is None


def test_every_judged_pair_has_a_cell_that_leads_to_it(half_done: ReportData) -> None:
    text = own_part(page_of(half_done))
    for pair in [*half_done.recommendations, Pair(1, 2)]:
        name = f"pair-{pair.teacher}-{pair.student}"
        assert text.count(f'<a href="#{name}" title=') == 7
        assert text.count(f'id="{name}"') == 1
    assert 'href="#pair-3-2"' in text  # from the other side
    assert 'id="pair-3-2"' not in text


def test_what_is_missing_leaves_a_sentence(half_done: ReportData) -> None:
    text = words(page_of(half_done))
    assert "1->2: no recommendation yet" in text
    assert "7 runs are to be done" in text
    assert "loss became nan at step 3" in text
    assert "autokd explain --pair 0,1 --home elsewhere" in text
    assert "mean over the 1 pairs" in text
    nothing = words(page_of(make_material(OWN, {})))
    for sentence in (
        "No pair is judged yet.",
        "autokd tune --all --home elsewhere does that",
        "No pair has been tuned yet.",
        "No meeting is judged yet.",
        "No setting has been chosen yet.",
        "No trial has run to the end yet.",
        "Too few runs have ended to say.",
        "No pair was swept",
        "Nothing has been run yet.",
    ):
        assert sentence in nothing


def test_rivals_and_where_the_gain_comes_from_where_they_were_run(half_done: ReportData) -> None:
    splits = (Split.CONFIRMATION, Split.TEST)
    worse = dict.fromkeys(splits, Interval(4.0, 1.0, 7.0))
    explanation = Explanation(
        pair=PAIR,
        verdict=Verdict.TUNED,
        setting=HOT,
        gain=dict.fromkeys(splits, Interval(20.0, 15.0, 25.0)),
        lines=(
            Line(key="partner", words="adopting <b>model 0</b>", gain=worse, difference=worse),
            Line(key="elsewhere", words="best setting of other pairs", note="no other pair"),
        ),
        teacher_or_data="the data: nothing of it is the teacher's",
        attribution=Attribution(
            parts={Step.TUNING: worse, Step.TRANSFER_SET: dict.fromkeys(splits, Interval(11.0, 9.0, 13.0))},
            total=dict.fromkeys(splits, Interval(15.0, 12.0, 18.0)),
        ),
        adoption=worse,
        owed=3,
        runs=40,
        epochs=400,
    )
    text = words(
        page_of(replace(half_done, pairs=[replace(half_done.of(PAIR), explanation=explanation)]), PAIR)
    )
    for expected in (
        "adopting <b>model 0</b> +4.0 pp [+1.0, +7.0] +4.0 pp [+1.0, +7.0] wins",
        "best setting of other pairs not known no other pair",
        "3 runs for this comparison are still missing.",
        "Teacher or data: the data: nothing of it is the teacher's.",
        "transfer set +11.0 pp [+9.0, +13.0] +11.0 pp [+9.0, +13.0]",
        "together +15.0 pp [+12.0, +18.0]",
    ):
        assert expected in text


def test_the_poster_s_observations_stand_with_their_figures(half_done: ReportData) -> None:
    share = Claim(
        key="share",
        statement="2/3 of the pairs need <other> T and α",
        status=Status.OPEN,
        figure=Interval(0.5, 0.25, 0.75),
        unit="share of pairs",
        how="counted",
    )
    gain = replace(share, key="gain", statement="tuning pays", figure=Interval(4.0, 1.0, 7.0), unit="pp")
    text = words(page_of(replace(half_done, observations=[share, gain])))
    assert "2/3 of the pairs need <other> T and α cannot be told 50% [25%, 75%] of the pairs counted" in text
    assert "tuning pays cannot be told +4.0 pp [+1.0, +7.0] counted" in text


def test_an_empty_store_has_a_page() -> None:
    empty = replace(make_material(OWN, {}), federation=None)
    assert "No federation has been prepared yet; autokd prepare --home elsewhere" in words(page_of(empty))
    assert packed(page_of(empty)) == [{"compared": {"lines": [], "pairs": []}}]
    text = words(page_of(empty, PAIR))
    assert "0->1: no recommendation yet" in text
    assert "it has not been tuned; autokd tune --pair 0,1 --home elsewhere does that" in text
    assert "No trial has ended." in text


def test_a_federation_where_everything_failed_has_a_page() -> None:
    text = words(page_of(make_material(OWN, dict.fromkeys(everybody(4), LOST))))
    assert "0 of 12 pairs should distill with tuned settings, 0 with the default, 12 failed" in text


def test_the_default_standing_alone_has_no_row_of_a_winner() -> None:
    material = make_material(OWN, {PAIR: GOOD}, trials=TRIALS[:1])
    text = words(page_of(material, PAIR))
    assert "the default setting" in text
    assert "difference" not in text
    assert re.search(r"as teacher: 1->0, adopted by 1 not tried not tried", text)


def test_names_and_reasons_from_outside_are_escaped() -> None:
    died = trial(3, WARM, TrialState.FAIL, reason=HOSTILE)
    federation = make_federation(OWN, name=HOSTILE, classes=(HOSTILE, "größe & <b>co</b>"))
    federation = replace(
        federation,
        participants=tuple(
            replace(participant, architecture=HOSTILE) for participant in federation.participants
        ),
    )
    material = make_material(OWN, {PAIR: GOOD}, federation=federation, trials=[*TRIALS[:2], died])
    dead = replace(material.pairs[0], recommendation=None, missing=HOSTILE)
    for text in (page_of(material), page_of(material, PAIR), page_of(replace(material, pairs=[dead]))):
        own = own_part(text)
        assert "alert(" in own
        assert "<script>alert" not in own
        assert "<img" not in own
        assert "<b>co" not in own
        # The three of every page and the packed parts, and no more.
        assert len(re.findall("<script", own)) == len(re.findall("</script", own)) == 3 + len(packed(text))
        assert HOSTILE in words(text)
    (content,) = packed(page_of(material, PAIR))
    assert content["trials"]["rows"][2][-1] == HOSTILE
    # Plotly takes tags for markup.
    assert content["classes"]["layout"]["xaxis"]["ticktext"][1] == "größe &amp; &lt;b&gt;co&lt;/b&gt;"


def test_participants_are_called_by_name_and_nothing_of_it_is_carried_out(half_done: ReportData) -> None:
    names = ["hospital_a", "<img src=x onerror='alert(1)'>", None, "d"]
    source = {"kind": "npz", "path": "x.npz"}
    federation = ExternalFederation.model_validate(
        {
            "name": "named",
            "participants": [
                {"name": name, "architecture": {"name": "cnn"}, "checkpoint": "x.pt", "data": source}
                for name in names
            ],
            "splits": {
                "kind": "separate",
                **dict.fromkeys(("validation", "confirmation", "test"), source),
            },
        }
    )
    pairs = [
        replace(
            pair,
            recommendation=pair.recommendation and replace(pair.recommendation, names=federation.names),
        )
        for pair in half_done.pairs
    ]
    config = half_done.config.model_copy(update={"federation": federation})
    named = replace(half_done, config=config, pairs=pairs)
    text = page_of(named)
    own = own_part(text)
    assert "<img" not in own
    text_shown = words(text)
    for shown_pair in pairs:
        assert federation.names.arrow(shown_pair.pair) in text_shown
        if shown_pair.recommendation is not None:
            assert shown_pair.recommendation.advice in text_shown
            assert shown_pair.recommendation.advice.startswith(federation.names.arrow(shown_pair.pair))
    for number, name in enumerate(names):
        assert (f"{number} {name}" if name else str(number)) in text_shown
    labels = federation_charts(ReportFacts(named))
    shown = next(chart for chart in labels if chart.name == "histograms")
    assert shown.figure["data"][0]["y"][1] == "1 &lt;img src=x onerror='alert(1)'&gt;"
    assert shown.numbers[0]["participant_name"] == "hospital_a"
    assert "participant_name" not in str(federation_charts(ReportFacts(half_done)))


def test_the_same_material_gives_the_same_page(half_done: ReportData) -> None:
    assert page_of(half_done) == page_of(half_done)


def test_ninety_pairs_with_64_trials_each_stay_below_eight_megabytes() -> None:
    """Measured on some pairs: each is packed by itself."""
    wide = [trial(1, HOT, TrialState.COMPLETE, (3, 0.6), (6, 0.8), (10, 1.0))]
    for number in range(2, 64):
        setting = replace(HOT, temperature=1 + number / 7, alpha=number / 64)
        curve = [(epoch, (number * 37 % 101) / 150 + epoch / 1000) for epoch in (3, 6, 10)]
        state, rungs = (TrialState.COMPLETE, 3) if number % 3 else (TrialState.PRUNED, 1)
        wide.append(trial(number, setting, state, *curve[:rungs]))
    gains = dict.fromkeys(everybody(4)[:4], GOOD)
    material = make_material(OWN, gains, trials=[TRIALS[0], *wide])
    some = len(page_of(material).encode())
    fewer = len(page_of(replace(material, pairs=material.pairs[:2])).encode())
    each = (some - fewer) / 2
    assert fewer + 88 * each < 8_000_000


def test_writes_the_page(tmp_path: Path) -> None:
    write("größer", tmp_path / "pair.html")
    assert (tmp_path / "pair.html").read_text(encoding="utf-8") == "größer"


@pytest.mark.parametrize("where", ["missing/pair.html", "."])
def test_a_page_that_cannot_be_written_is_a_clear_error(tmp_path: Path, where: str) -> None:
    with pytest.raises(InputError, match=r"--out .*: cannot be written .*; name a file"):
        write("text", tmp_path / where)
