"""Evaluates weights from a file on every common split, beside the participant's initial model."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from autokd.compute.device import Compute
from autokd.config.study import ConfirmationConfig
from autokd.core.setting import Split, derive_seed
from autokd.delivery.card import ClassScores, Scores
from autokd.distillation import Evaluation, evaluate
from autokd.distillation.evaluation import accuracy_by_class
from autokd.federation.federation import Federation, network
from autokd.models.weights import Weights, load_weights
from autokd.statistics.paired import paired_interval


def evaluate_weights(
    federation: Federation, student: int, weights: Weights, confirmation: ConfirmationConfig
) -> dict[Split, Scores]:
    """Return the scores of weights on each common split, in a new network, in float32 on the CPU.

    Args:
        student: Number of the participant whose network the weights belong to.
        confirmation: Confidence and number of resamples of the intervals.

    Raises:
        Diverged: If the model's outputs are not finite.
    """
    model = network(federation, student)
    load_weights(model, weights)
    evaluations = {split: evaluate(model, federation, student, split, Compute()) for split in Split}
    return {
        split: _scores(federation, student, split, evaluation, confirmation)
        for split, evaluation in evaluations.items()
    }


def _scores(
    federation: Federation, student: int, split: Split, after: Evaluation, confirmation: ConfirmationConfig
) -> Scores:
    names, labels = federation.data.classes, federation.data.labels[federation.splits[split]]
    before = federation.correct(student, split)
    counts = np.bincount(labels, minlength=len(names)).tolist()
    earlier = _known(accuracy_by_class(before, labels, classes=len(names)))
    by_class = zip(names, counts, earlier, _known(after.per_class), strict=True)
    return Scores(
        examples=len(labels),
        before=float(before.mean()),
        after=after.accuracy,
        gain=paired_interval(
            after.correct,
            before,
            confidence=confirmation.confidence,
            resamples=confirmation.resamples,
            seed=derive_seed(federation.name, "delivery", student, split.value),
        ),
        forgetting=after.forgetting,
        classes=tuple(
            ClassScores(name=name, examples=count, before=old, after=new)
            for name, count, old, new in by_class
        ),
    )


def _known(accuracies: NDArray[np.float64]) -> list[float | None]:
    return [None if math.isnan(accuracy) else accuracy for accuracy in accuracies.tolist()]
