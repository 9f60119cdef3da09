"""The participants: their data, the accuracy of their models, and what their owners should do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from autokd.core.participant_names import NUMBERS_ONLY, ParticipantNames
from autokd.recommendation.decision import Decision
from autokd.recommendation.participant import ParticipantDecision
from autokd.report.data import ReportData
from autokd.statistics.paired import POINTS


@dataclass(frozen=True, slots=True, kw_only=True)
class ParticipantSummary:
    """One participant.

    Attributes:
        histogram: Number of private examples by class.
        accuracy: Accuracy of its model as it is on test, by its target distribution, in [0, 1].
        advice: What its owner should do; None if it learns in no judged pair.
    """

    number: int
    architecture: str
    histogram: tuple[int, ...]
    accuracy: float
    advice: ParticipantDecision | None

    @property
    def decision(self) -> Decision | None:
        """The decision of `advice`."""
        return None if self.advice is None else self.advice.decision

    @property
    def after(self) -> float | None:
        """Accuracy after following the decision on test, in [0, 1]."""
        decision = self.decision
        return None if decision is None else self.accuracy + decision.chosen.test.mean / POINTS


@dataclass(frozen=True, slots=True, kw_only=True)
class ParticipantsFacts:
    """The participants of the reported pairs, by number; `classes` are the labels' names.

    Attributes:
        left_out: Number of participants of the federation that no reported pair has.
    """

    classes: tuple[str, ...]
    participants: tuple[ParticipantSummary, ...]
    names: ParticipantNames = NUMBERS_ONLY
    left_out: int = 0


def participants_facts(data: ReportData, decisions: Iterable[ParticipantDecision]) -> ParticipantsFacts:
    """Return the participants of the reported pairs; none if the federation was never prepared."""
    federation, advice = data.federation, {decision.student: decision for decision in decisions}
    if federation is None:
        return ParticipantsFacts(classes=(), participants=())
    participants = tuple(
        ParticipantSummary(
            number=number,
            architecture=federation.participants[number].architecture,
            histogram=federation.participants[number].histogram,
            accuracy=data.accuracies[number],
            advice=advice.get(number),
        )
        for number in data.involved
    )
    return ParticipantsFacts(
        classes=federation.classes,
        participants=participants,
        names=data.names,
        left_out=len(federation.participants) - len(participants),
    )
