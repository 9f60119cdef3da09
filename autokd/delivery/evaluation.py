"""Evaluates weights from a file on every common split, beside the participant's initial model."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from autokd.compute.device import Compute
from autokd.config.study import ConfirmationConfig
from autokd.core.records import Correctness
from autokd.core.setting import Split, derive_seed
from autokd.delivery.card import ClassScores, Scores
from autokd.distillation import assess
from autokd.errors import Diverged
from autokd.federation.federation import Federation
from autokd.models.building import build
from autokd.models.inference import logits_of
from autokd.models.weights import Weights, load_weights
from autokd.statistics.paired import paired_interval

_SPLITS: Final = (Split.VALIDATION, Split.CONFIRMATION, Split.TEST)


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
    data = federation.data
    _, channels, size, _ = data.images.shape
    architecture = federation.participants[student].architecture
    network = build(architecture, channels=channels, size=size, classes=len(data.classes))
    load_weights(network, weights)
    scores = {}
    for split in _SPLITS:
        indices = federation.splits[split]
        logits = logits_of(network, data, Compute(), indices)
        if not np.isfinite(logits).all():
            raise Diverged(step=0, loss=math.nan)
        right = logits.argmax(axis=1) == data.labels[indices]
        scores[split] = _scores(federation, student, split, right, confirmation)
    return scores


def _scores(
    federation: Federation,
    student: int,
    split: Split,
    right: Correctness,
    confirmation: ConfirmationConfig,
) -> Scores:
    labels = federation.data.labels[federation.splits[split]]
    before = federation.correct(student, split)
    now, then = (
        assess(
            correct,
            labels=labels,
            label_distribution=federation.label_distribution(student),
            correct_before=before,
        )
        for correct in (right, before)
    )
    counts = np.bincount(labels, minlength=len(federation.data.classes))
    return Scores(
        examples=len(labels),
        before=then.accuracy,
        after=now.accuracy,
        gain=paired_interval(
            right,
            before,
            confidence=confirmation.confidence,
            resamples=confirmation.resamples,
            seed=derive_seed(federation.name, "delivery", student, split.value),
        ),
        forgetting=now.forgetting,
        classes=tuple(
            ClassScores(name=name, examples=int(count), before=_known(earlier), after=_known(later))
            for name, count, earlier, later in zip(
                federation.data.classes, counts, then.per_class, now.per_class, strict=True
            )
        ),
    )


def _known(share: float) -> float | None:
    return None if math.isnan(share) else float(share)
