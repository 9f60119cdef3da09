"""What is known of a pair before anything is distilled: numbers that say which pairs are alike."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from autokd.core.setting import Pair, Split
from autokd.federation.federation import Federation


@dataclass(frozen=True, slots=True, kw_only=True)
class PairFeatures:
    """A pair as it is, without a single run; nothing here looks at confirmation or test.

    Attributes:
        teacher_accuracy: Of the teacher's model on the validation split, in [0, 1].
        student_accuracy: Likewise of the student's.
        teacher_at_home: The teacher's accuracy weighted by the student's label distribution, in [0, 1].
        overlap: Shared mass of the two label distributions, in [0, 1].
        teacher_classes: Effective share of the classes that the teacher has data of: exp(entropy) over the
            number of classes, in (0, 1].
        student_classes: Likewise of the student.
        teacher_examples: Natural logarithm of the number of private examples.
        student_examples: Likewise.
        agreement: Share of the public examples on which both models give the same answer, in [0, 1].
        teacher_confidence: Mean of the teacher's largest probability on the public examples, in [0, 1].
        student_confidence: Likewise of the student.
    """

    teacher_accuracy: float
    student_accuracy: float
    teacher_at_home: float
    overlap: float
    teacher_classes: float
    student_classes: float
    teacher_examples: float
    student_examples: float
    agreement: float
    teacher_confidence: float
    student_confidence: float

    def to_json(self) -> dict[str, float]:
        """By name."""
        return asdict(self)


def pair_features(federation: Federation, pair: Pair) -> PairFeatures:
    """The features of a pair, from data and logits that the federation has anyway."""
    teacher, student = pair.teacher, pair.student
    shares = {one: federation.label_distribution(one) for one in (teacher, student)}
    sizes = {one: len(federation.participants[one].private) for one in (teacher, student)}
    public = {one: federation.logits[one, federation.public] for one in (teacher, student)}
    return PairFeatures(
        teacher_accuracy=_accuracy(federation, teacher),
        student_accuracy=_accuracy(federation, student),
        teacher_at_home=_weighted_accuracy(federation, teacher, shares[student]),
        overlap=float(np.minimum(shares[teacher], shares[student]).sum()),
        teacher_classes=_effective_classes(shares[teacher]),
        student_classes=_effective_classes(shares[student]),
        teacher_examples=math.log(sizes[teacher]),
        student_examples=math.log(sizes[student]),
        agreement=_mean(public[teacher].argmax(axis=1) == public[student].argmax(axis=1)),
        teacher_confidence=_confidence(public[teacher]),
        student_confidence=_confidence(public[student]),
    )


def _accuracy(federation: Federation, participant: int) -> float:
    return _mean(federation.correct(participant, Split.VALIDATION))


def _weighted_accuracy(federation: Federation, participant: int, shares: NDArray[np.float64]) -> float:
    """Accuracy on validation with each example weighted by its class's share."""
    labels = federation.data.labels[federation.splits[Split.VALIDATION]]
    counts = np.bincount(labels, minlength=shares.size)
    weights = (shares / np.maximum(counts, 1))[labels]
    right = federation.correct(participant, Split.VALIDATION)
    return float(weights @ right / weights.sum()) if weights.sum() > 0 else _mean(right)


def _effective_classes(shares: NDArray[np.float64]) -> float:
    there = shares[shares > 0]
    return float(np.exp(-(there * np.log(there)).sum()) / shares.size)


def _confidence(logits: NDArray[np.float32]) -> float:
    return _mean(softmax(logits.astype(np.float64), axis=1).max(axis=1)) if len(logits) else 0.0


def _mean(values: NDArray[np.generic]) -> float:
    """0 for nothing: a federation may have no public examples."""
    return float(values.mean()) if values.size else 0.0
