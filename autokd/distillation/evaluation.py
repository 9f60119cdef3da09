"""How good a model is on a common split: what it answers (torch), and what that means (NumPy, pure)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from autokd.compute import Compute
from autokd.records import Correctness

BATCH: Final = 1024
"""Examples in one forward pass: large, since no gradients are kept; fixed, since it can decide last bits."""


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


def answers(network: nn.Module, images: Tensor, *, compute: Compute, mean: Tensor, std: Tensor) -> Tensor:
    """Logits in eval mode; the network's modules are left in the modes they were in.

    Args:
        network: On the compute device.
        images: uint8, shape (n, channels, height, width).
        compute: Device, precision and memory format.
        mean: Per channel, in units of the stored pixel values, shape (channels,).
        std: Likewise.

    Returns:
        float32 on the device, shape (n, classes).
    """
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        with torch.inference_mode(), compute.autocast():
            logits = [
                network(compute.pixels(some, mean=mean, std=std)).float()
                for some in torch.split(images, BATCH)
            ]
        return torch.cat(logits)
    finally:
        # Not network.train(): that would also wake the BatchNorm layers that a recipe keeps frozen.
        for module, training in modes:
            module.training = training


def evaluate(
    network: nn.Module, images: Tensor, labels: Tensor, *, compute: Compute, mean: Tensor, std: Tensor
) -> Correctness:
    """Whether the network predicts each label, shape (n,); arguments as in `answers`, labels shape (n,)."""
    predicted = answers(network, images, compute=compute, mean=mean, std=std).argmax(dim=1).cpu()
    right: Correctness = (predicted == labels.cpu()).numpy()
    return right
