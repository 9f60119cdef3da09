"""What following all decisions comes to, and what it has cost."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter, defaultdict
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import t as student

from autokd.core.setting import Pair, Split
from autokd.recommendation.decision import Action
from autokd.recommendation.participant import decide_for
from autokd.report import PairData, ReportFacts
from autokd.report.facts.decisions import answer_sentence
from autokd.report.facts.means import mean_over_participants
from autokd.report.pair_table import as_csv, side_by_side
from tests.recommendation.meetings import PLAN, by_rule_3
from tests.recommendation.samples import recommend_from
from tests.report.federations import BAD, GOOD, LOST, everybody, make_material, page_of, swept_run
from tests.report.samples import HOT
from tests.report.test_page import words

OWN = (0.3, 0.4, 0.5, 0.6)
MATERIAL = make_material(
    OWN, {pair: BAD if pair.student == 3 else GOOD for pair in everybody(4)} | {Pair(0, 1): LOST}
)
FACTS = ReportFacts(MATERIAL)


def test_the_card_counts_the_decisions_of_all_pairs_and_tells_what_following_them_gains() -> None:
    decisions = {pair: recommendation.decision for pair, recommendation in MATERIAL.recommendations.items()}
    assert FACTS.answer.actions == Counter(decision.action for decision in decisions.values())
    assert list(FACTS.answer.actions) == sorted(FACTS.answer.actions, key=list(Action).index)
    assert FACTS.answer.gain is not None
    gains = [decision.chosen.test.mean for decision in decisions.values()]
    assert FACTS.answer.gain.value == pytest.approx(np.mean(gains))
    assert FACTS.answer.gain.interval is not None
    sentence = answer_sentence(FACTS.answer)
    assert sentence.startswith("What to do in 12 pairs: keep in 2, learn in 5, ")
    assert str(FACTS.answer.gain) in sentence


def test_participants_decide_as_advise_does() -> None:
    for participant in FACTS.decisions:
        learning = [
            recommendation
            for pair, recommendation in MATERIAL.recommendations.items()
            if pair.student == participant.student
        ]
        again = decide_for(participant.student, learning)
        assert participant.decision.to_json() == again.decision.to_json()
        assert participant.choices == again.choices
    gains = [participant.decision.chosen.test.mean for participant in FACTS.decisions]
    mean = FACTS.answer.participants_gain
    assert mean is not None
    assert mean.interval is not None
    expected = student.interval(0.95, 3, np.mean(gains), np.std(gains, ddof=1) / 2)
    assert (mean.interval.low, mean.interval.high) == pytest.approx(expected)


def test_few_participants_show_nothing_of_others() -> None:
    assert mean_over_participants([], 0.95) is None
    few = mean_over_participants([3.0, 5.0, 4.0], 0.95)
    assert few is not None
    assert (few.value, few.interval) == (4.0, None)


def test_the_cost_counts_all_that_was_run() -> None:
    swept = make_material(OWN[:2], {Pair(0, 1): GOOD}, swept={Pair(0, 1): [swept_run(HOT, 0.7)]})
    (row,) = ReportFacts(swept).rows
    # Trials of 10, 10, 3, 0 and 3 epochs; two arms of five seeds; one run of a sweep: ten epochs each.
    assert (row.spent.search, row.spent.confirmation, row.spent.swept) == (26, 100, 10)
    assert (row.spent.epochs, row.spent.runs) == (136, 5 + 10 + 1)
    answer = ReportFacts(swept).answer
    assert answer.spent == row.spent
    assert answer.share == pytest.approx(126 / 760)


def test_the_csv_has_a_line_for_each_judged_pair_with_the_numbers_of_its_recommendation() -> None:
    rows = list(csv.DictReader(io.StringIO(as_csv(FACTS.rows, MATERIAL.names))))
    assert len(rows) == 12
    for row in rows:
        recommendation = MATERIAL.recommendations[Pair(int(row["teacher"]), int(row["student"]))]
        content = recommendation.decision.to_json()
        assert row["action"] == content["action"]
        assert row["what_to_do"] == content["words"]
        assert float(row["gain_low"]) == pytest.approx(recommendation.decision.chosen.test.low)
        assert row["verdict"] == recommendation.verdict.value


def test_two_pairs_side_by_side_have_the_same_lines() -> None:
    compared = side_by_side(FACTS.rows, MATERIAL.names)
    assert [pair["name"] for pair in compared["pairs"]][:2] == ["0->1", "0->2"]
    assert {len(pair["cells"]) for pair in compared["pairs"]} == {len(compared["lines"])}
    assert side_by_side((), MATERIAL.names) == {"lines": [], "pairs": []}


def test_a_page_of_two_pairs_shows_these_two_and_no_matrix() -> None:
    two = page_of(make_material(OWN, {Pair(0, 1): GOOD, Pair(1, 0): BAD}))
    assert 'class="matrix"' not in two
    assert 'class="matrix"' in page_of(MATERIAL)
    text = words(two)
    assert "2 participants of the federation are in no pair here, and are left out." in text
    assert "none is advised" not in text
    assert '<option value="2">' not in two


def test_one_gain_has_one_interval_on_a_page() -> None:
    """By rule 3 a pair tells the same gain in several tables."""
    federation, records = by_rule_3({"winner": 0.85, "default": 0.70, "no_teacher": 0.80})
    recommendation = recommend_from(PLAN, federation, records)
    material = make_material((0.5, 0.5), {})
    data = PairData(records=records, recommendation=recommendation)
    page = page_of(replace(material, federation=federation, pairs=[data]), records.of_pair)
    text = words(page)
    for way in recommendation.decision.weighed:
        if way.way.action is Action.KEEP:
            continue
        mean = f"{way.test.mean:+.1f} pp "
        intervals = set(re.findall(re.escape(mean) + r"\[[^\]]*\]", text))
        assert str(way.test) in intervals
    by_words = defaultdict(set)
    for name, gain in re.findall(
        r"(prior divided out|default setting)[^+\-]{0,20}([+-][\d.]+ pp \[[^\]]*\])", text
    ):
        by_words[name].add(gain)
    assert recommendation.judgement is not None
    assert str(recommendation.judgement.test.default_gain) in by_words["default setting"]
    assert len(by_words["default setting"]) == 1
    student_gain = recommendation.judgement.gain(Split.TEST)
    assert text.count(str(student_gain)) >= 2
