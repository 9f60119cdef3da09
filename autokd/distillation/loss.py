"""The distillation loss: T²·KL to softened targets, mixed with cross-entropy to the labels.

| symbol | meaning                                  | shape            | unit             |
|--------|------------------------------------------|------------------|------------------|
| z_s    | student logits                           | (batch, classes) | -                |
| z_t    | target logits, made by the method (`targets`) | (batch, classes) | - |
| y      | labels of the first examples of the batch | (labelled,)     | class index      |
| T      | temperature > 0                          | scalar           | -                |
| α      | weight of the distillation term          | scalar in [0, 1] | -                |
| w      | weight of a target                       | (batch,) in [0, 1] | -              |
| b      | log(n(c) + 1) if the loss is adjusted, else 0 (`log_prior`) | (classes,) | -    |
| soft   | T² · KL(softmax z_t/T ‖ softmax z_s/T), by example | (batch,) | nats           |
| hard   | cross-entropy of softmax(z_s + b) with y, by example | (labelled,) | nats      |

total = mean of α·w · soft + mean of (1 − α·w) · hard, each over its own examples: those of the batch, and
those that are labelled. These are all, none (then it is the mean of w · soft), or on `student_public` half.
It is continuous in T and α over the whole space, without special cases that a search could exploit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from autokd.core.setting import LabelPrior, Method, Setting


@dataclass(frozen=True, slots=True, eq=False)
class LossParts:
    """The loss of one batch and its parts, scalars in nats.

    Attributes:
        total: The value that is minimised.
        soft: Unweighted T²·KL to the targets.
        hard: Unweighted cross-entropy to the labels, adjusted or not; None on unlabelled examples.
    """

    total: Tensor
    soft: Tensor
    hard: Tensor | None


def soft_target_loss(
    student: Tensor, target: Tensor, *, temperature: float, reduction: str = "batchmean"
) -> Tensor:
    """Return KL(target ‖ student) of the softened outputs times T², in nats.

    The gradient of the KL shrinks as 1/T²; the factor keeps its size while T is tuned.
    Source: Hinton, Vinyals, Dean 2015, arXiv:1503.02531, section 2.

    Args:
        student: Logits, shape (batch, classes).
        target: Logits, same shape.
        reduction: "batchmean", or "none" for the terms of the sum over examples and classes.

    Returns:
        The mean over the batch, a scalar >= 0 that is 0 if and only if both outputs are equal; or the terms,
        shape (batch, classes).

    Raises:
        ValueError: If the shapes differ or `temperature` is not a positive number.
    """
    return _divergence(student, softened(target, temperature), temperature, reduction)


def softened(logits: Tensor, temperature: float) -> Tensor:
    """Return log softmax z/T. Rows do not depend on each other: all targets at once have the same bits.

    Raises:
        ValueError: If `temperature` is not a positive number.
    """
    if not (math.isfinite(temperature) and temperature > 0):
        raise ValueError(f"temperature={temperature} must be a positive number")
    return F.log_softmax(logits / temperature, dim=1)


def _divergence(student: Tensor, target: Tensor, temperature: float, reduction: str = "batchmean") -> Tensor:
    """Return `soft_target_loss` of a target that is already softened."""
    if student.shape != target.shape:
        raise ValueError(
            f"logits of student {tuple(student.shape)} and target {tuple(target.shape)} differ in shape"
        )
    divergence = F.kl_div(softened(student, temperature), target, reduction=reduction, log_target=True)
    return temperature**2 * divergence


def standardised(logits: Tensor) -> Tensor:
    """Standardise each row, so that T means the same for all models; a row of equal logits becomes 0.

    Source: Sun et al. 2024, arXiv:2403.01427, algorithm 1.
    """
    centred = logits - logits.mean(dim=1, keepdim=True)
    # As in the paper's code, a small constant keeps the sample standard deviation above 0.
    return centred / (logits.std(dim=1, keepdim=True) + 1e-7)


def log_prior(labels: Tensor, classes: int) -> Tensor:
    """Return `log_counts` of labelled examples, shape (classes,).

    Added to the logits in the loss, it makes a class that the student sees rarely as costly to miss as one
    that it sees often, so the logits themselves learn equal class shares.
    Source: Menon et al. 2021, arXiv:2007.07314, the logit adjusted loss with τ = 1.
    """
    return log_counts(torch.bincount(labels, minlength=classes))


def log_counts(counts: Tensor, *, added: float = 1) -> Tensor:
    """Return log(n(c) + `added`), the log-prior of a model that has seen n(c) examples of class c.

    Logits plus it have the prior, logits minus it have it divided out; softmax takes care of a constant. What
    is added to each class keeps one without examples finite.

    Args:
        counts: n(c), shape (classes,).
    """
    return (counts + added).log()


def distillation_loss(
    student: Tensor,
    target: Tensor,
    labels: Tensor | None,
    setting: Setting,
    *,
    trust: Tensor | None = None,
    prior: Tensor | None = None,
) -> LossParts:
    """Return α · soft + (1 − α) · hard; without labels (on `public`) soft alone.

    Source: Hinton, Vinyals, Dean 2015, arXiv:1503.02531, section 2.

    Args:
        student: Logits, shape (batch, classes).
        target: Logits, same shape; already standardised for `logit_standardisation`.
        labels: Class indices of the first examples, int64, shape (labelled,); None if and only if the
            setting's alpha is None.
        trust: Weight w of each example's target in [0, 1], shape (batch,); None for 1.
        prior: `log_prior` of all labelled examples of the run; None if and only if the setting has none.

    Raises:
        ValueError: If there are labels without an alpha, or an alpha without labels; the same for the prior.
    """
    target = softened(target, setting.temperature)
    return loss_to_softened(student, target, labels, setting, trust=trust, prior=prior)


def loss_to_softened(
    student: Tensor,
    target: Tensor,
    labels: Tensor | None,
    setting: Setting,
    *,
    trust: Tensor | None = None,
    prior: Tensor | None = None,
) -> LossParts:
    """Return `distillation_loss` of a target that is already `softened`, with the same bits."""
    if (labels is None) != (setting.alpha is None):
        raise ValueError(f"alpha={setting.alpha} does not fit {'no labels' if labels is None else 'labels'}")
    if (prior is None) != (setting.label_prior is LabelPrior.NONE):
        raise ValueError(f"label_prior={setting.label_prior} does not fit prior={prior}")
    logits = standardised(student) if setting.method is Method.LOGIT_STANDARDISATION else student
    labelled = student if labels is None or len(labels) == len(student) else student[: len(labels)]
    if prior is not None:
        labelled = labelled + prior
    if trust is not None:
        return _weighted_loss(logits, target, labelled, labels, setting, trust)
    soft = _divergence(logits, target, setting.temperature)
    if labels is None or setting.alpha is None:
        return LossParts(total=soft, soft=soft, hard=None)
    hard = F.cross_entropy(labelled, labels)
    return LossParts(total=setting.alpha * soft + (1 - setting.alpha) * hard, soft=soft, hard=hard)


def _weighted_loss(
    student: Tensor, target: Tensor, labelled: Tensor, labels: Tensor | None, setting: Setting, trust: Tensor
) -> LossParts:
    """Return the same loss with a weight for each example's target."""
    soft = _divergence(student, target, setting.temperature, reduction="none").sum(dim=1)
    if labels is None or setting.alpha is None:
        return LossParts(total=(trust * soft).mean(), soft=soft.mean(), hard=None)
    hard, weight = F.cross_entropy(labelled, labels, reduction="none"), setting.alpha * trust
    if len(hard) < len(soft):
        total = (weight * soft).mean() + ((1 - weight[: len(hard)]) * hard).mean()
    else:
        total = (weight * soft + (1 - weight) * hard).mean()
    return LossParts(total=total, soft=soft.mean(), hard=hard.mean())
