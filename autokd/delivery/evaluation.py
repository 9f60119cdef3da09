"""Evaluates weights from a file on every common split, beside the participant's initial model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray
from torch import nn

from autokd.compute.device import Compute
from autokd.config.confirmation import ConfirmationConfig
from autokd.config.target import BALANCED, ClassShares, TargetName, in_order
from autokd.core.example_weights import EVEN, ExampleWeights
from autokd.core.records import Correctness
from autokd.core.setting import Split, derive_seed
from autokd.core.weights import Weights
from autokd.delivery.card import ClassScores, Scores, TargetScores
from autokd.delivery.target_prior import AddedPrior
from autokd.distillation import Evaluation, evaluate
from autokd.distillation.evaluation import accuracy_by_class
from autokd.errors import PlanError
from autokd.federation.federation import Federation
from autokd.federation.networks import network
from autokd.models.log_prior import prepared
from autokd.models.weights import load_weights
from autokd.statistics.label_weights import local_weights, target_weights
from autokd.statistics.paired import paired_interval
from autokd.statistics.probability_scores import probability_scores
from autokd.statistics.target_weights import weights_on

TargetWeights = Mapping[str, ExampleWeights]
"""Weights of the examples by target distribution."""
STUDY: Final = "study"
"""Name of the target of a study that gives shares by class."""


def weights_of_targets(
    federation: Federation,
    student: int,
    target: TargetName | ClassShares,
    study_target: TargetName | ClassShares = "common",
) -> TargetWeights:
    """Return the weights of examples on `common` and `own`, and on given shares.

    They are `shares` if a model is for them, and `study` if the study judges by them; `balanced` is there if
    the study's objective is.

    Raises:
        PlanError: If shares by class name do not fit the federation's classes or its splits.
    """
    labels = {split: federation.data.labels[rows] for split, rows in federation.splits.items()}
    own, classes = federation.label_counts(student).tolist(), federation.data.classes
    weights = {
        "common": EVEN,
        "own": ExampleWeights({split: local_weights(known, own) for split, known in labels.items()}),
    }
    if study_target == BALANCED:
        weights[BALANCED] = weights_on(BALANCED, labels, classes, own, source="study recipe")
    if not isinstance(study_target, str):
        weights[STUDY] = weights_on(study_target, labels, classes, own, source="study recipe")
    if not isinstance(target, str):
        shares = in_order(target, classes, source="--for")
        try:
            weights["shares"] = ExampleWeights(
                {split: target_weights(known, shares, classes) for split, known in labels.items()}
            )
        except ValueError as error:
            problem = f"a common split has {error}, so nothing can be measured there; give it the share 0"
            raise PlanError(source="--for", problem=problem) from None
    return weights


def evaluate_weights(
    federation: Federation,
    student: int,
    trained: Weights,
    confirmation: ConfirmationConfig,
    *,
    targets: TargetWeights,
    judged_on: str = "common",
    delivered: tuple[Weights, AddedPrior] | None = None,
) -> dict[Split, Scores]:
    """Return the scores of weights on each common split, in a new network, in float32 on the CPU.

    Args:
        student: Number of the participant whose network the weights belong to.
        trained: The weights as they were trained.
        confirmation: Confidence and number of resamples of the intervals.
        targets: As `weights_of_targets` returns them.
        judged_on: Name of the study's own target among them.
        delivered: The weights in the file with the log-prior that they contain; None if it is `trained`.

    Raises:
        Diverged: If the model's outputs are not finite.
    """
    model = network(federation, student)
    load_weights(model, trained)
    as_trained = after = _evaluations(model, federation, student)
    if delivered is not None:
        weights, prior = delivered
        model = prepared(model, prior.layer, classes=len(federation.data.classes))
        load_weights(model, weights)
        after = _evaluations(model, federation, student)
    return {
        split: _scores(
            federation,
            student,
            split,
            after=after[split],
            as_trained=as_trained[split].correct,
            targets=targets,
            judged_on=judged_on,
            confirmation=confirmation,
        )
        for split in Split
    }


def _evaluations(model: nn.Module, federation: Federation, student: int) -> dict[Split, Evaluation]:
    return {
        split: evaluate(model, federation, student, split, Compute(), keep_logits=True) for split in Split
    }


def _scores(
    federation: Federation,
    student: int,
    split: Split,
    *,
    after: Evaluation,
    as_trained: Correctness,
    targets: TargetWeights,
    judged_on: str,
    confirmation: ConfirmationConfig,
) -> Scores:
    names, labels = federation.data.classes, federation.data.labels[federation.splits[split]]
    before = federation.correct(student, split)

    def on_target(name: str) -> TargetScores:
        weights = targets[name]
        first, second, third = (
            weights.accuracy(right, split) for right in (before, as_trained, after.correct)
        )
        interval = paired_interval(
            after.correct,
            before,
            confidence=confirmation.confidence,
            resamples=confirmation.resamples,
            seed=derive_seed(federation.name, "delivery", student, split.value),
            weights=weights.of(split),
        )
        return TargetScores(before=first, as_trained=second, after=third, gain=interval)

    scores = {name: on_target(name) for name in targets}
    counts = np.bincount(labels, minlength=len(names)).tolist()
    earlier = _known(accuracy_by_class(before, labels, classes=len(names)))
    by_class = zip(names, counts, earlier, _known(after.per_class), strict=True)
    judged, weights = scores[judged_on], targets[judged_on].of(split)
    assert after.logits is not None
    earlier_logits = federation.logits[student, federation.splits[split]]
    return Scores(
        examples=len(labels),
        before=judged.before,
        after=judged.after,
        gain=judged.gain,
        forgetting=after.forgetting,
        probabilities_before=probability_scores(earlier_logits, labels, weights),
        probabilities=probability_scores(after.logits, labels, weights),
        targets=scores,
        classes=tuple(
            ClassScores(name=name, examples=count, before=old, after=new)
            for name, count, old, new in by_class
        ),
    )


def _known(accuracies: NDArray[np.float64]) -> list[float | None]:
    return [None if math.isnan(accuracy) else accuracy for accuracy in accuracies.tolist()]
