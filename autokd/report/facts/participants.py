"""The participants: their data, the accuracy of their models, and what they gain by their best meeting."""

from __future__ import annotations

from dataclasses import dataclass

from autokd.core.setting import Split
from autokd.recommendation import Advice, Recommendation
from autokd.report.data import ReportData
from autokd.statistics.paired import POINTS, Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Best:
    """The meeting that is best for a participant.

    Attributes:
        gain: Gain on test, in pp.
    """

    partner: int
    position: Advice
    gain: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Participant:
    """One participant.

    Attributes:
        histogram: Number of private examples by class.
        accuracy: Accuracy of its model as it is on test, in [0, 1].
        best: Best meeting on confirmation among those in which a position is advised; None without one.
        adopted: For comparison, the partner whose model as it is would gain most on test, and that gain in
            pp.
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
    participants: tuple[Participant, ...]


def participants_facts(data: ReportData) -> ParticipantsFacts:
    """Return all participants of the federation; none if it was never prepared."""
    federation = data.federation
    if federation is None:
        return ParticipantsFacts(classes=(), participants=())
    test = {member.number: float(member.correct[Split.TEST].mean()) for member in federation.participants}
    participants = []
    for member in federation.participants:
        number = member.number
        adopted = [
            (other, POINTS * (accuracy - test[number])) for other, accuracy in test.items() if other != number
        ]
        participants.append(
            Participant(
                number=number,
                architecture=member.architecture,
                histogram=member.histogram,
                accuracy=test[number],
                best=_best([found for pair, found in data.found.items() if pair.student == number]),
                adopted=max(adopted, key=lambda gain: gain[1], default=None),
            )
        )
    return ParticipantsFacts(classes=federation.classes, participants=tuple(participants))


def _best(recommendations: list[Recommendation]) -> Best | None:
    """Return the best meeting: chosen on confirmation, where verdicts are made, and reported on test."""
    advised = []
    for found in recommendations:
        decided, test = found.position.confirmation, found.position.test
        if found.position.advice is Advice.STUDENT and decided.as_student and test.as_student:
            advised.append((decided.as_student.mean, found, test.as_student))
        if found.position.advice is Advice.TEACHER and decided.as_teacher and test.as_teacher:
            advised.append((decided.as_teacher.mean, found, test.as_teacher))
    if not advised:
        return None
    _, found, gain = max(advised, key=lambda way: way[0])
    return Best(partner=found.pair.teacher, position=found.position.advice, gain=gain)
