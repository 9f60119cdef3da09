"""What a model's answers on a common split mean for the student that gave them: NumPy only, pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autokd.core.records import Correctness


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """A student on one split.

    Attributes:
        accuracy: Top-1 over the split, in [0, 1].
        per_class: Top-1 within each class, in [0, 1], NaN for a class that the split has no example of;
            shape (classes,).
        local_accuracy: `per_class` weighted by the student's own label distribution, in [0, 1]: how good
            it is at what its own data look like.
        forgetting: Local accuracy before distillation minus after, in pp; negative where it grew.
        correct: Per example of the split, shape (examples,).
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
    """What a model's answers mean for the student that gave them.

    Args:
        correct: Of the model now, per example of the split, shape (examples,).
        labels: Class indices, shape (examples,).
        label_distribution: Share of each class in the student's private data, shape (classes,).
        correct_before: Of the student's model as it was before distillation, shape (examples,).

    Raises:
        ValueError: If the shapes do not fit, or the split has no example of any of the student's classes.
    """
    if not labels.shape == correct.shape == correct_before.shape or labels.size == 0:
        raise ValueError(
            f"labels {labels.shape}, answers now {correct.shape} and before {correct_before.shape} "
            "must be of one and the same non-empty split"
        )
    per_class = _per_class(correct, labels, classes=label_distribution.size)
    now = _weighted(per_class, label_distribution)
    before = _weighted(
        _per_class(correct_before, labels, classes=label_distribution.size), label_distribution
    )
    return Evaluation(
        accuracy=float(correct.mean()),
        per_class=per_class,
        local_accuracy=now,
        forgetting=100 * (before - now),
        correct=correct,
    )


def _per_class(correct: Correctness, labels: NDArray[np.int64], *, classes: int) -> NDArray[np.float64]:
    """Top-1 within each class, NaN where the split has no example, shape (classes,)."""
    there = np.bincount(labels, minlength=classes)
    right = np.bincount(labels, weights=correct, minlength=classes)
    accuracies: NDArray[np.float64] = np.full(classes, np.nan)
    np.divide(right, there, out=accuracies, where=there > 0)
    return accuracies


def _weighted(per_class: NDArray[np.float64], shares: NDArray[np.float64]) -> float:
    """Mean of the classes' accuracies weighted by `shares`.

    A class that the split has no example of tells nothing: it is left out, and the other shares grow in
    proportion.
    """
    known = ~np.isnan(per_class)
    total = shares[known].sum()
    if total <= 0:
        raise ValueError("the split has no example of any class that the student has private examples of")
    return float(per_class[known] @ shares[known] / total)
