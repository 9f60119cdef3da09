"""Scores of a student on a common split, from the correctness of its predictions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autokd.core.records import Correctness


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """Scores of a student on one split.

    Attributes:
        accuracy: Top-1 accuracy in [0, 1].
        per_class: Top-1 accuracy by class in [0, 1], NaN for a class without examples; shape (classes,).
        local_accuracy: Mean of `per_class` weighted by the student's own label distribution, in [0, 1].
        forgetting: Local accuracy before distillation minus after, in pp; negative if it grew.
        correct: Correctness by example of the split, shape (examples,).
    """

    accuracy: float
    per_class: NDArray[np.float64]
    local_accuracy: float
    forgetting: float
    correct: Correctness


def assess(
    correct: Correctness,
    *,
    labels: NDArray[np.int64],
    label_distribution: NDArray[np.float64],
    correct_before: Correctness,
) -> Evaluation:
    """Return the scores of a model on a split.

    Args:
        correct: Correctness of the model now, by example of the split, shape (examples,).
        labels: Class indices, shape (examples,).
        label_distribution: Share of each class in the student's private data, shape (classes,).
        correct_before: Correctness of the student's model before distillation, shape (examples,).

    Raises:
        ValueError: If the shapes differ, or the split has no example of any of the student's classes.
    """
    if not labels.shape == correct.shape == correct_before.shape or labels.size == 0:
        raise ValueError(
            f"labels {labels.shape}, correct {correct.shape} and correct_before {correct_before.shape} "
            "must be of one and the same non-empty split"
        )
    per_class = _per_class(correct, labels, classes=label_distribution.size)
    per_class_before = _per_class(correct_before, labels, classes=label_distribution.size)
    local_accuracy = _weighted(per_class, label_distribution)
    return Evaluation(
        accuracy=float(correct.mean()),
        per_class=per_class,
        local_accuracy=local_accuracy,
        forgetting=100 * (_weighted(per_class_before, label_distribution) - local_accuracy),
        correct=correct,
    )


def _per_class(correct: Correctness, labels: NDArray[np.int64], *, classes: int) -> NDArray[np.float64]:
    """Return the accuracy by class, NaN for a class without examples, shape (classes,)."""
    counts = np.bincount(labels, minlength=classes)
    right = np.bincount(labels, weights=correct, minlength=classes)
    accuracies: NDArray[np.float64] = np.full(classes, np.nan)
    np.divide(right, counts, out=accuracies, where=counts > 0)
    return accuracies


def _weighted(per_class: NDArray[np.float64], shares: NDArray[np.float64]) -> float:
    """Return the mean of the accuracies weighted by `shares`; classes without examples are left out."""
    known = ~np.isnan(per_class)
    total = shares[known].sum()
    if total <= 0:
        raise ValueError("the split has no example of any class that the student has private examples of")
    return float(per_class[known] @ shares[known] / total)
