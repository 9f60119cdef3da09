"""The participants: their data, the accuracy of their models, and what they gain by their best meeting."""

from __future__ import annotations

from dataclasses import dataclass

from autokd.core.participant_names import NUMBERS_ONLY, ParticipantNames
from autokd.recommendation import Advice, Recommendation
from autokd.report.data import ReportData
from autokd.statistics.paired import POINTS, Interval


@dataclass(frozen=True, slots=True)
class Best:
    """The meeting that is best for a participant.

    Attributes:
        gain: Gain on test, in pp.
    """

    partner: int
    position: Advice
    gain: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class ParticipantSummary:
    """One participant.

    Attributes:
        histogram: Number of private examples by class.
        accuracy: Accuracy of its model as it is on test, by its target distribution, in [0, 1].
        best: Best meeting on confirmation among those in which a position is advised; None without one.
        adopted: Partner whose model as it is would gain most on test, and that gain in pp.
    """

    number: int
    architecture: str
    histogram: tuple[int, ...]
    accuracy: float
    best: Best | None
    adopted: tuple[int, float] | None

    @property
    def after(self) -> float | None:
        """Accuracy after the best meeting on test, in [0, 1]."""
        return None if self.best is None else self.accuracy + self.best.gain.mean / POINTS


@dataclass(frozen=True, slots=True, kw_only=True)
class ParticipantsFacts:
    """All participants, by number; `classes` are the labels' names."""

    classes: tuple[str, ...]
    participants: tuple[ParticipantSummary, ...]
    names: ParticipantNames = NUMBERS_ONLY


def participants_facts(data: ReportData) -> ParticipantsFacts:
    """Return all participants of the federation; none if it was never prepared."""
    federation, recommendations = data.federation, data.recommendations
    if federation is None:
        return ParticipantsFacts(classes=(), participants=())
    test, participants = data.accuracies, []
    for member in federation.participants:
        number, own = member.number, test[member.number]
        adopted = [(other, data.by_adoption(other, number)) for other in test if other != number]
        learning = [judged for pair, judged in recommendations.items() if pair.student == number]
        row = ParticipantSummary(
            number=number,
            architecture=member.architecture,
            histogram=member.histogram,
            accuracy=own,
            best=_best(learning),
            adopted=max(adopted, key=lambda gain: gain[1], default=None),
        )
        participants.append(row)
    return ParticipantsFacts(classes=federation.classes, participants=tuple(participants), names=data.names)


def _best(recommendations: list[Recommendation]) -> Best | None:
    """Return the best meeting: chosen on confirmation, where verdicts are made, and reported on test."""
    advised = []
    for recommendation in recommendations:
        pair, position = recommendation.of_pair
        decided, test = position.confirmation, position.test
        if position.advice is Advice.STUDENT and decided.as_student and test.as_student:
            advised.append((decided.as_student.mean, Best(pair.teacher, position.advice, test.as_student)))
        if position.advice is Advice.TEACHER and decided.as_teacher and test.as_teacher:
            advised.append((decided.as_teacher.mean, Best(pair.teacher, position.advice, test.as_teacher)))
    return max(advised, key=lambda way: way[0])[1] if advised else None
