from __future__ import annotations

from dataclasses import replace

import pytest

from autokd.config.space import read_space
from autokd.core.setting import Pair, Split
from autokd.recommendation import Verdict
from autokd.report.data import PairData, ReportData
from autokd.report.facts.federation import HeadlineFacts, headline_facts, matrices, sentence
from autokd.report.facts.means import Mean, mean_over_pairs
from tests.recommendation.meetings import PLAN, by_rule_3
from tests.recommendation.samples import make_plan, recommend_from
from tests.report.federations import BAD, GOOD, LOST, Gains, everybody, make_material

OWN = (0.3, 0.4, 0.5, 0.6)


@pytest.fixture(scope="module")
def material() -> ReportData:
    """Four participants: whoever learns from 3 gains, 3 cannot; one pair died, one is not judged."""
    gains: dict[Pair, Gains] = {pair: BAD if pair.student == 3 else GOOD for pair in everybody(4)}
    gains[Pair(0, 1)] = LOST
    del gains[Pair(1, 0)]
    return make_material(OWN, gains, unfinished=[Pair(1, 0)])


def test_the_numbers_of_the_headline(material: ReportData) -> None:
    facts = headline_facts(material)
    assert facts.pairs == 12
    assert facts.verdicts == {Verdict.TUNED: 7, Verdict.SKIP: 3, Verdict.FAILED: 1}
    assert sum(facts.verdicts.values()) == 11
    # Recommended: +20 for 7 pairs, and 0 for the other four. The default: +5 for 7, -20 for 3; one died.
    assert facts.gain is not None
    assert facts.gain.value == pytest.approx(7 * 20 / 11)
    assert facts.default_gain is not None
    assert facts.default_gain.value == pytest.approx((7 * 5 - 3 * 20) / 10)
    # Trials of 10, 10, 3 and 3 epochs in eleven pairs (one of them is running), and one that died at once.
    assert facts.search == pytest.approx(11 * 26 / (12 * 760))
    assert facts.confirmation == pytest.approx(10 * 2 * 5 * 10 / (12 * 760))


def test_the_headline_in_one_sentence(material: ReportData) -> None:
    text = sentence(headline_facts(material))
    assert text.startswith(
        "7 of 11 judged pairs should distill with tuned settings, 0 with the default, "
        "3 should not distill at all, 1 failed; mean gain +12.7 pp ["
    )
    assert "on test, where the default gives -2.5 pp [" in text
    assert text.endswith("; search 3% and confirmation 11% of the sweep's cost.")
    assert sentence(headline_facts(make_material(OWN, {}))) == "No pair is judged yet."


def test_a_space_in_which_nothing_private_moves_has_a_headline_of_its_own(material: ReportData) -> None:
    space = read_space("private").model_dump(mode="json")
    text = sentence(headline_facts(replace(material, space=space)))
    assert text.startswith("Where nothing private moves, 7 of 11 judged pairs should distill")
    assert not headline_facts(replace(material, space=read_space("default").model_dump())).private


def test_without_figures_the_headline_has_none() -> None:
    facts = HeadlineFacts(
        pairs=2,
        verdicts={Verdict.FAILED: 2},
        gain=Mean(0.0, None),
        default_gain=None,
        search=0.0,
        confirmation=0.0,
    )
    assert "where the default" not in sentence(facts)
    assert "2 failed" in sentence(facts)


def test_the_headline_tells_the_teachers_part_where_it_was_measured(material: ReportData) -> None:
    assert headline_facts(material).teacher_part is None
    federation, records = by_rule_3({"winner": 0.85, "default": 0.70, "no_teacher": 0.80})
    recommendation = recommend_from(PLAN, federation, records)
    assert recommendation.judgement is not None
    part = recommendation.judgement.teacher_part(Split.TEST)
    newer = replace(
        material, pairs=[*material.pairs, PairData(records=records, recommendation=recommendation)]
    )
    facts = headline_facts(newer)
    assert part is not None
    assert facts.teacher_part == Mean(part.mean, None)
    assert f"of what the settings found gain, {facts.teacher_part} is the teacher's" in sentence(facts)


def test_matrices_hold_a_cell_for_each_judged_pair_and_share_a_scale(material: ReportData) -> None:
    action, decided, default, recommended, difference, verdict, position = matrices(material)
    good, bad, dead = Pair(3, 0), Pair(0, 3), Pair(0, 1)
    for facts in (action, decided, default, recommended, difference, verdict, position):
        assert len(facts.cells) == 11
        assert Pair(1, 0) not in facts.cells
    values = [[facts.cells[pair].value for pair in (good, bad, dead)] for facts in (default, recommended)]
    assert values[0] == [pytest.approx(5), pytest.approx(-20), None]
    assert values[1] == [pytest.approx(20), 0, None]
    assert [difference.cells[pair].value for pair in (good, bad)] == pytest.approx([15, 20])
    assert [verdict.cells[pair].lines for pair in (good, bad, dead)] == [("t",), ("s",), ("f",)]
    assert {facts.reach for facts in (decided, default, recommended, difference, position)} == {30.0}
    assert verdict.reach is action.reach is None
    # 0 is right on 50 of 100 once it has learned, and model 3 on 60 as it is.
    assert [action.cells[pair].lines for pair in (good, bad, dead)] == [("a",), ("k",), ("k",)]
    assert [decided.cells[pair].value for pair in (good, bad)] == [pytest.approx(30), 0]
    assert sum(action.kinds[1].values()) == 11
    assert {facts.participants for facts in (action, verdict)} == {(0, 1, 2, 3)}


def test_the_better_position_stands_beside_adoption(material: ReportData) -> None:
    cells = matrices(material)[-1].cells
    # 2 -> 1 makes 1 right on 60 of 100, 1 -> 2 makes 2 right on 70: for 1 that is a gain of 30 by teaching.
    taught = cells[Pair(2, 1)]
    assert taught.lines == ("T +30.0", "+10.0")
    assert taught.value == pytest.approx(30)
    # For 2 it is the other way round: +20 by learning, +10 by teaching.
    assert cells[Pair(1, 2)].lines == ("S +20.0", "-10.0")
    # 3 can gain neither by learning from 0 nor by adopting what 3 -> 0 makes (50 of 100).
    assert cells[Pair(0, 3)].lines == ("–", "-30.0")
    assert cells[Pair(0, 3)].value == 0


def test_few_extreme_gains_do_not_take_up_the_scale() -> None:
    gains = dict.fromkeys(everybody(6), GOOD) | {Pair(0, 1): (-0.4, 0.2)}
    default = matrices(make_material((0.5,) * 6, gains))[2]
    assert default.cells[Pair(0, 1)].value == pytest.approx(-40)
    assert default.reach == 20


def test_means_over_pairs_have_no_interval_where_all_share_a_participant() -> None:
    config = make_plan()
    assert mean_over_pairs({}, config) is None
    alone = mean_over_pairs({Pair(0, 1): 1.0, Pair(1, 0): 3.0}, config)
    assert alone == Mean(2.0, None)
    assert str(alone) == "+2.0 pp"
    everyone = mean_over_pairs({pair: float(pair.student) for pair in everybody(4)}, config)
    assert everyone is not None
    assert everyone.value == pytest.approx(1.5)
    assert everyone.interval is not None
    assert everyone.interval.low < 1.5 < everyone.interval.high
