"""The poster's tables: what a participant gains by each meeting, as student and as teacher.

Both columns use the common test split and the same runs: what P gains as teacher of j is the accuracy of the
run P->j minus P's own. Hence, up to rounding, for any two participants

    as_student_s(t) - as_teacher_t(s) = acc(t) - acc(s) = as_teacher_s(t) - as_student_t(s)

All figures of a table are on the target distribution of its participant; where that is `own`, the other
participant sees the same models by another one, and the identity does not hold.
"""

from __future__ import annotations

from dataclasses import dataclass

from autokd.core.setting import Pair, Split
from autokd.recommendation import Recommendation
from autokd.recommendation.bootstrap import Bootstrap
from autokd.recommendation.position import Advice
from autokd.report.data import ReportData
from autokd.statistics.paired import Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One meeting of the table's participant; gains in pp on test.

    Attributes:
        as_student: Gain by the pair partner -> participant; None if it is not judged.
        as_teacher: Gain by adopting the student of the pair participant -> partner; None if it is not judged.
        default: Gain as student with the default setting; None if it is not known.
        by_adoption: Gain by taking the partner's model as it is.
        advice: The better position; None as long as the pair partner -> participant is not judged.
    """

    partner: int
    as_student: Interval | None
    as_teacher: Interval | None
    default: Interval | None
    by_adoption: float
    advice: Advice | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PosterTable:
    """All meetings of one participant, in the order of the partners."""

    participant: int
    rows: tuple[Row, ...]


def poster_tables(data: ReportData) -> tuple[PosterTable, ...]:
    """Return a table for each participant with at least one judged meeting."""
    participants = data.involved
    tables = []
    for participant in participants:
        rows = tuple(_row(data, partner, participant) for partner in participants if partner != participant)
        if any(row.advice or row.as_teacher for row in rows):
            tables.append(PosterTable(participant=participant, rows=rows))
    return tuple(tables)


def _row(data: ReportData, partner: int, participant: int) -> Row:
    pair, recommendations = Pair(partner, participant), data.recommendations
    learning, teaching = recommendations.get(pair), recommendations.get(pair.reverse)
    judgement = None if learning is None else learning.judgement
    return Row(
        partner=partner,
        as_student=None if learning is None else learning.of_pair[1].test.as_student,
        as_teacher=_as_teacher(data, learning, teaching),
        default=None if judgement is None else judgement.test.default_gain,
        by_adoption=data.by_adoption(partner, participant),
        advice=None if learning is None else learning.of_pair[1].advice,
    )


def _as_teacher(
    data: ReportData, learning: Recommendation | None, teaching: Recommendation | None
) -> Interval | None:
    """Return the gain from the pair's recommendation; if only the reverse pair is judged, from that one."""
    if learning is not None and learning.of_pair[1].test.as_teacher is not None:
        return learning.of_pair[1].test.as_teacher
    if teaching is None or teaching.judgement is None or data.federation is None:
        return None
    participant = data.federation.participants[teaching.of_pair[0].teacher]
    own, bootstrap = (
        participant.correct[Split.TEST],
        Bootstrap.of(data.config.confirmation, teaching.records.study),
    )
    return teaching.judgement.shown_beside(
        own, bootstrap, Split.TEST, "as teacher", weights=participant.weights
    )
