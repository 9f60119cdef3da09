from __future__ import annotations

import re
from html import unescape

import numpy as np
import pytest

from autokd.core.setting import Pair
from autokd.recommendation.decision import Action
from autokd.recommendation.position import Advice
from autokd.report import ReportData
from autokd.report.facts.poster import PosterTable, Row, poster_tables
from autokd.report.facts.report import ReportFacts
from tests.report.federations import BAD, GOOD, LOST, everybody, make_material, page_of

OWN = (0.31, 0.42, 0.53, 0.64)


@pytest.fixture(scope="module")
def material() -> ReportData:
    """Gains of all sizes, so that no two cells agree by chance."""
    draw = np.random.default_rng(0)
    gains = {
        pair: (round(float(draw.uniform(-0.2, 0.1)), 2), round(float(draw.uniform(-0.1, 0.3)), 2))
        for pair in everybody(4)
    }
    return make_material(OWN, gains)


def test_a_row_by_hand() -> None:
    material = make_material(OWN, {Pair(2, 1): GOOD, Pair(1, 2): (0.05, 0.25)})
    (of_one, of_two) = poster_tables(material)
    assert (of_one.participant, of_two.participant) == (1, 2)
    row = {row.partner: row for row in of_one.rows}[2]
    assert row.as_student is not None
    assert row.as_student.mean == pytest.approx(20)  # 0.62 - 0.42
    assert row.as_teacher is not None
    assert row.as_teacher.mean == pytest.approx(36)  # 0.53 + 0.25 - 0.42
    assert row.default is not None
    assert row.default.mean == pytest.approx(5)
    assert row.by_adoption == pytest.approx(11)
    assert row.advice is Advice.TEACHER
    assert [row.partner for row in of_one.rows] == [2]  # Who is in no reported pair is left out.


def test_the_identity_of_the_poster(material: ReportData) -> None:
    cells = {(table.participant, row.partner): row for table in poster_tables(material) for row in table.rows}
    assert len(cells) == 12
    for (student, other), row in cells.items():
        back = cells[other, student]
        assert row.as_student is not None
        assert back.as_teacher is not None
        assert row.as_student.mean - back.as_teacher.mean == pytest.approx(row.by_adoption)
        assert row.by_adoption == pytest.approx(100 * (OWN[other] - OWN[student]))


def test_the_identity_holds_in_the_printed_tables(material: ReportData) -> None:
    printed = read_tables(page_of(material))
    assert len(printed) == 12
    for (number, other), (student, _, adoption) in printed.items():
        _, teacher, _ = printed[other, number]
        # Each of the three was rounded to hundredths.
        assert abs(student - teacher - adoption) <= 0.0151


def read_tables(text: str) -> dict[tuple[int, int], tuple[float, float, float]]:
    """As student, as teacher and by adoption, by participant and partner."""
    cells = {}
    for participant, table in re.findall(r'data-participant="(\d+)".*?<tbody>(.*?)</tbody>', text, re.DOTALL):
        for row in re.findall(r"<tr>(.*?)</tr>", table, re.DOTALL):
            partner, student, teacher, _, adoption, _ = [
                unescape(re.sub(r"<[^>]+>", "", re.sub(r"<span.*?</span>", "", cell)))
                for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL)
            ]
            cells[int(participant), int(partner)] = (float(student), float(teacher), float(adoption))
    return cells


def test_what_only_the_reverse_pair_tells_is_in_the_table() -> None:
    tables = poster_tables(make_material(OWN, {Pair(2, 1): GOOD}))
    (of_two,) = [table for table in tables if table.participant == 2]
    row = row_of(of_two, 1)
    assert row.as_student is None
    assert row.as_teacher is not None
    assert row.as_teacher.mean == pytest.approx(9)  # 0.42 + 0.2 - 0.53


def row_of(table: PosterTable, partner: int) -> Row:
    return {row.partner: row for row in table.rows}[partner]


def test_participants_before_and_after_following_their_decision() -> None:
    gains = {pair: LOST if 3 in pair.meeting else GOOD for pair in everybody(4)}
    facts = ReportFacts(make_material(OWN, gains)).participants
    first, second, third, last = facts.participants
    # 2 -> 0 makes 0 right on 51 of 100, and 0 -> 2 makes 2 right on 73: so 0 lets 2 learn. Model 3 has 64.
    assert first.decision is not None
    assert first.decision.action is Action.LET_PARTNER_LEARN
    assert first.decision.chosen.way.pair == Pair(0, 2)
    assert [first.after, second.after, third.after] == pytest.approx([0.73] * 3)
    assert third.decision is not None
    assert third.decision.action is Action.LEARN
    assert last.after == pytest.approx(last.accuracy)
    assert (first.histogram, last.histogram) == ((10, 10), (13, 13))
    assert facts.left_out == 0


def test_who_is_in_no_pair_is_left_out() -> None:
    facts = ReportFacts(make_material(OWN, {Pair(2, 1): BAD}))
    assert [participant.number for participant in facts.participants.participants] == [1, 2]
    assert facts.participants.left_out == 2
    first, two = facts.participants.participants
    assert (first.advice and first.advice.unknown, two.advice) == ((0, 3), None)
    assert {number for table in facts.posters for number in (table.participant, table.rows[0].partner)} == {
        1,
        2,
    }
