"""The participants: their data, what their models are worth, and what their best meeting makes of them."""

from __future__ import annotations

from dataclasses import dataclass

from autokd.core.setting import Split
from autokd.recommendation import Advice, Recommendation
from autokd.report.material import Material
from autokd.statistics.paired import POINTS, Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Best:
    """The meeting that is best for a participant.

    Attributes:
        gain: On test, in pp.
    """

    partner: int
    position: Advice
    gain: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Participant:
    """One participant.

    Attributes:
        histogram: Private examples by class.
        accuracy: Of its model as it is on test, in [0, 1].
        best: Chosen on confirmation among the meetings in which a position is advised; None without one.
        adopted: For comparison, the partner whose model as it is would gain most on test, and that in pp.
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


def participants_facts(material: Material) -> ParticipantsFacts:
    """Everybody in the federation; nobody if it was never prepared."""
    federation = material.federation
    if federation is None:
        return ParticipantsFacts(classes=(), participants=())
    test = {one.number: float(one.correct[Split.TEST].mean()) for one in federation.participants}
    return ParticipantsFacts(
        classes=federation.classes,
        participants=tuple(
            Participant(
                number=one.number,
                architecture=one.architecture,
                histogram=one.histogram,
                accuracy=test[one.number],
                best=_best([found for pair, found in material.found.items() if pair.student == one.number]),
                adopted=max(
                    (
                        (other, POINTS * (accuracy - test[one.number]))
                        for other, accuracy in test.items()
                        if other != one.number
                    ),
                    key=lambda adopted: adopted[1],
                    default=None,
                ),
            )
            for one in federation.participants
        ),
    )


def _best(found: list[Recommendation]) -> Best | None:
    """Chosen where verdicts are made, told where they are reported."""
    advised = []
    for one in found:
        decided, test = one.position.confirmation, one.position.test
        if one.position.advice is Advice.STUDENT and decided.as_student and test.as_student:
            advised.append((decided.as_student.mean, one, test.as_student))
        if one.position.advice is Advice.TEACHER and decided.as_teacher and test.as_teacher:
            advised.append((decided.as_teacher.mean, one, test.as_teacher))
    if not advised:
        return None
    _, one, gain = max(advised, key=lambda way: way[0])
    return Best(partner=one.pair.teacher, position=one.position.advice, gain=gain)
