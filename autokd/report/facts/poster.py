"""The poster's tables: what a participant gains by each meeting, as student and as teacher.

Both columns are on the test split, which is common to all, and both are made of the same runs: what P gains
as teacher of j is the accuracy of run P->j less P's own. Hence, to rounding, for any two participants

    as_student_s(t) - as_teacher_t(s) = acc(t) - acc(s) = as_teacher_s(t) - as_student_t(s)
"""

from __future__ import annotations

from dataclasses import dataclass

from autokd.core.setting import Pair, Split, derive_seed
from autokd.recommendation import Recommendation
from autokd.recommendation.position import Advice
from autokd.report.material import Material
from autokd.statistics.paired import POINTS, Interval, paired_interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One meeting of the table's participant; gains in pp on test.

    Attributes:
        as_student: Of the run partner -> participant that stands for that pair; None if it is not judged.
        as_teacher: Of the run participant -> partner, adopted; likewise.
        default: As student with the default setting; None likewise.
        by_adoption: Of taking the partner's model as it is.
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
    """All meetings of one participant, by partner."""

    participant: int
    rows: tuple[Row, ...]


def poster_tables(material: Material) -> tuple[PosterTable, ...]:
    """A table for each participant of which at least one meeting is known."""
    federation = material.federation
    if federation is None:
        return ()
    everybody = [one.number for one in federation.participants]
    tables = (
        PosterTable(
            participant=one,
            rows=tuple(_row(material, one, partner) for partner in everybody if partner != one),
        )
        for one in everybody
    )
    return tuple(table for table in tables if any(row.advice or row.as_teacher for row in table.rows))


def _row(material: Material, participant: int, partner: int) -> Row:
    assert material.federation is not None
    learning = material.found.get(Pair(partner, participant))
    teaching = material.found.get(Pair(participant, partner))
    own, other = (
        float(material.federation.participants[number].correct[Split.TEST].mean())
        for number in (participant, partner)
    )
    judgement = None if learning is None else learning.judgement
    return Row(
        partner=partner,
        as_student=None if learning is None else learning.position.gain_as_student,
        as_teacher=_as_teacher(material, learning, teaching),
        default=None if judgement is None else judgement.test.default_gain,
        by_adoption=POINTS * (other - own),
        advice=None if learning is None else learning.position.advice,
    )


def _as_teacher(
    material: Material, learning: Recommendation | None, teaching: Recommendation | None
) -> Interval | None:
    """As the recommendation of the pair has it; where only the reverse pair is judged, from that."""
    if learning is not None and learning.position.gain_as_teacher is not None:
        return learning.position.gain_as_teacher
    if teaching is None or teaching.judgement is None or material.federation is None:
        return None
    plan, pair = material.plan.confirmation, teaching.pair
    return paired_interval(
        teaching.judgement.shown.correct[Split.TEST],
        material.federation.participants[pair.teacher].correct[Split.TEST],
        confidence=plan.confidence,
        resamples=plan.resamples,
        seed=derive_seed(teaching.records.study, "as teacher"),
    )
