"""Features of a pair, known before any distillation; they say which pairs are similar."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from autokd.core.setting import Pair, Split
from autokd.federation.federation import Federation


@dataclass(frozen=True, slots=True, kw_only=True)
class PairFeatures:
    """The features of a pair; none of them uses the confirmation or test split.

    They describe the models and their data, whatever target a study has: the accuracies are on the common
    validation split as it is, and what the teacher knows of the student's own classes is one more feature.

    Attributes:
        teacher_accuracy: Validation accuracy of the teacher's model, in [0, 1].
        student_accuracy: Validation accuracy of the student's model, in [0, 1].
        teacher_at_home: The teacher's accuracy weighted by the student's label distribution, in [0, 1].
        overlap: Shared mass of the two label distributions, in [0, 1].
        teacher_classes: Effective share of the classes in the teacher's data: exp(entropy) over the number of
            classes, in (0, 1].
        student_classes: The same share of the student.
        teacher_examples: Natural logarithm of the teacher's number of private examples.
        student_examples: The same number of the student.
        agreement: Share of the public examples on which both models give the same answer, in [0, 1].
        teacher_confidence: Mean of the teacher's largest probability on the public examples, in [0, 1].
        student_confidence: The same mean of the student.
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


def pair_features(federation: Federation, pair: Pair) -> PairFeatures:
    """Return the features of a pair, from the federation's data and stored logits."""
    teacher, student = pair.teacher, pair.student
    shares = {side: federation.label_distribution(side) for side in (teacher, student)}
    sizes = {side: len(federation.participants[side].private) for side in (teacher, student)}
    public = {side: federation.logits[side, federation.public] for side in (teacher, student)}
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
    """Return the validation accuracy with each example weighted by the share of its class."""
    labels = federation.data.labels[federation.splits[Split.VALIDATION]]
    counts = np.bincount(labels, minlength=shares.size)
    weights = (shares / np.maximum(counts, 1))[labels]
    right = federation.correct(participant, Split.VALIDATION)
    return float(weights @ right / weights.sum()) if weights.sum() > 0 else _mean(right)


def _effective_classes(shares: NDArray[np.float64]) -> float:
    present = shares[shares > 0]
    return float(np.exp(-(present * np.log(present)).sum()) / shares.size)


def _confidence(logits: NDArray[np.float32]) -> float:
    return _mean(softmax(logits.astype(np.float64), axis=1).max(axis=1)) if len(logits) else 0.0


def _mean(values: NDArray[np.generic]) -> float:
    """Return the mean; 0 of nothing, since a federation may have no public examples."""
    return float(values.mean()) if values.size else 0.0
