"""The federation as a whole: mean accuracy of all participants, before and after each learns once.

It is one round of peer-to-peer training: each participant follows its best answer, if it has one, and all
teachers teach with the models that they have before. Which answer is best is chosen on confirmation, and what
it gains is reported on test.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from autokd.core.pair import AnyPair, Pair


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one judged pair or group advises its student.

    Attributes:
        trains: Whether the answer is to train, and not to leave the model as it is.
        gain: What it gains on test, in pp.
        confirmed: What it gains on confirmation, in pp.
        sent: Bytes that the student is sent; None if that is not known.
    """

    pair: AnyPair
    trains: bool
    gain: float
    confirmed: float
    sent: int | None

    @classmethod
    def of_json(cls, pair: AnyPair, payload: Mapping[str, Any]) -> Answer | None:
        """Return the answer of a recommendation as `Recommendation.to_json` writes it.

        None if an older version wrote it, without what it was decided on; the next `tune` adds it.
        """
        if "decided_on" not in payload:
            return None
        answer, decided = payload["recommended"]["answer"], payload["decided_on"]
        network = payload.get("network")
        figure = decided["candidate_gain" if _is_candidate(payload) else "default_gain"]
        return cls(
            pair=pair,
            trains=answer != "as-is",
            gain=float(payload["recommended"]["gain"]["mean"]),
            confirmed=0.0 if figure is None else float(figure["mean"]),
            sent=None if network is None else int(network["total"]),
        )


def _is_candidate(payload: Mapping[str, Any]) -> bool:
    candidate = payload.get("candidate")
    return candidate is not None and candidate["setting"] == payload["setting"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One round, in which each participant follows the best of its answers, or keeps its model.

    Attributes:
        judged: Number of participants that have an answer.
        learning: Number of these that train.
        accuracy: Mean accuracy of all participants on test after it, in [0, 1].
        sent: Bytes sent in all; None if that is not known.
    """

    judged: int
    learning: int
    accuracy: float
    sent: int | None

    def to_json(self) -> dict[str, object]:
        """Return plain values."""
        return {
            "judged": self.judged,
            "learning": self.learning,
            "accuracy": round(self.accuracy, 6),
            "bytes_sent": self.sent,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeFederation:
    """All participants together.

    Attributes:
        before: Mean accuracy of the models as they are on test, by the students' own targets, in [0, 1].
        best_pair: After each has learned from its best teacher; None if no pair is judged.
        several: After each has learned from several teachers; None if no group is judged.
    """

    before: float
    best_pair: Round | None
    several: Round | None

    def to_json(self) -> dict[str, object]:
        """Return plain values."""
        return {
            "before": round(self.before, 6),
            "best_pair": None if self.best_pair is None else self.best_pair.to_json(),
            "several": None if self.several is None else self.several.to_json(),
        }


def whole_federation(accuracies: Sequence[float], answers: Sequence[Answer]) -> WholeFederation | None:
    """Return the federation before and after one round; None if it has no participants.

    Args:
        accuracies: Accuracy of each participant on test before, in [0, 1].
    """
    if not accuracies:
        return None
    of_pairs = [answer for answer in answers if isinstance(answer.pair, Pair)]
    of_groups = [answer for answer in answers if not isinstance(answer.pair, Pair)]
    return WholeFederation(
        before=sum(accuracies) / len(accuracies),
        best_pair=_round(accuracies, of_pairs),
        several=_round(accuracies, of_groups),
    )


def _round(accuracies: Sequence[float], answers: Sequence[Answer]) -> Round | None:
    if not answers:
        return None
    chosen: dict[int, Answer] = {}
    for answer in sorted(answers, key=lambda answer: (answer.confirmed, answer.pair.teachers)):
        if answer.trains:
            chosen[answer.pair.student] = answer
    sent = [answer.sent for answer in chosen.values()]
    after = sum(accuracies) + sum(answer.gain for answer in chosen.values()) / 100
    return Round(
        judged=len({answer.pair.student for answer in answers}),
        learning=len(chosen),
        accuracy=after / len(accuracies),
        sent=None if None in sent else sum(size for size in sent if size is not None),
    )
