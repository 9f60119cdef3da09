"""Scores of a student on a common split."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from torch import nn

from autokd.compute.device import Compute
from autokd.core.example_weights import EVEN, ExampleWeights
from autokd.core.records import Correctness, Logits
from autokd.core.setting import Split
from autokd.errors import Diverged
from autokd.federation.federation import Federation
from autokd.models.inference import logits_of


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """Scores of a student on one split.

    Attributes:
        accuracy: Top-1 accuracy on the target distribution, in [0, 1].
        per_class: Top-1 accuracy by class in [0, 1], NaN for a class without examples; shape (classes,).
        local_accuracy: Mean of `per_class` weighted by the student's own label distribution, in [0, 1].
        forgetting: Local accuracy before distillation minus after, in pp; negative if it grew.
        correct: Correctness by example of the split, shape (examples,).
        logits: Outputs on the split, if they were asked for.
    """

    accuracy: float
    per_class: NDArray[np.float64]
    local_accuracy: float
    forgetting: float
    correct: Correctness
    logits: Logits | None = None


def evaluate(
    network: nn.Module,
    federation: Federation,
    student: int,
    split: Split,
    compute: Compute,
    *,
    step: int = 0,
    keep_logits: bool = False,
    weights: ExampleWeights = EVEN,
) -> Evaluation:
    """Return the scores of a network of participant `student` on a split, and its outputs if asked for.

    The logits are computed as for the participants' models, so that before and after differ in nothing else.

    Args:
        weights: Weights of the examples on the student's target distribution.

    Raises:
        Diverged: If the network's outputs are not finite; it names `step`, the steps trained so far.
    """
    labels = federation.data.labels[federation.splits[split]]
    logits = logits_of(network, federation.data, compute, federation.splits[split])
    if not np.isfinite(logits).all():
        # The loss of the last step was computed before its update: only the outputs show that.
        raise Diverged(step=step, loss=math.nan)
    scores = assess(
        logits.argmax(axis=1) == labels,
        labels=labels,
        label_distribution=federation.label_distribution(student),
        correct_before=federation.correct(student, split),
    )
    scores = replace(scores, accuracy=weights.accuracy(scores.correct, split))
    return replace(scores, logits=compacted(logits)) if keep_logits else scores


def compacted(logits: NDArray[np.float32]) -> Logits:
    """Return finite logits as `Logits`, with 11 significant bits of each distance from the largest."""
    below = logits - logits.max(axis=1, keepdims=True)
    compact: Logits = np.maximum(below, np.finfo(np.float16).min).astype(np.float16)
    return compact


def assess(
    correct: Correctness,
    *,
    labels: NDArray[np.int64],
    label_distribution: NDArray[np.float64],
    correct_before: Correctness,
) -> Evaluation:
    """Return the scores of a model from the correctness of its predictions on a split.

    Args:
        correct: Correctness of the model now, shape (examples,).
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
    per_class, per_class_before = (
        accuracy_by_class(right, labels, classes=label_distribution.size)
        for right in (correct, correct_before)
    )
    local_accuracy = _weighted(per_class, label_distribution)
    return Evaluation(
        accuracy=float(correct.mean()),
        per_class=per_class,
        local_accuracy=local_accuracy,
        forgetting=100 * (_weighted(per_class_before, label_distribution) - local_accuracy),
        correct=correct,
    )


def accuracy_by_class(
    correct: Correctness, labels: NDArray[np.int64], *, classes: int
) -> NDArray[np.float64]:
    """Return the accuracy by class, NaN for a class without examples, shape (classes,)."""
    counts = np.bincount(labels, minlength=classes)
    right = np.bincount(labels, weights=correct, minlength=classes)
    share: NDArray[np.float64] = np.divide(right, counts, out=np.full(classes, np.nan), where=counts > 0)
    return share


def _weighted(per_class: NDArray[np.float64], shares: NDArray[np.float64]) -> float:
    """Return the mean of the accuracies weighted by `shares`; classes without examples are left out."""
    known = ~np.isnan(per_class)
    total = shares[known].sum()
    if total <= 0:
        raise ValueError("the split has no example of any class that the student has private examples of")
    return float(per_class[known] @ shares[known] / total)
