"""What a student is taught by the frozen models: target logits for each example, before the run begins.

Teacher and student as it was are both frozen, so whatever a method makes of their outputs is made once, and a
step costs what it costs without a method.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from autokd.core.setting import Method
from autokd.distillation.loss import standardised


@dataclass(frozen=True, slots=True, eq=False)
class Targets:
    """What each example of a transfer set is to teach.

    Attributes:
        logits: Shape (examples, classes), float32; a run softens them by T.
        trust: Weight of each example's target in [0, 1], shape (examples,), or None for 1.
    """

    logits: Tensor
    trust: Tensor | None = None


def targets(
    method: Method, *, teacher: Tensor, own: Tensor, labels: Tensor | None, seen: tuple[Tensor, Tensor]
) -> Targets:
    """The targets of a method.

    `ensemble` is the mean of the logits (Lin et al. 2020, arXiv:2006.07242, section 3); the others have
    functions of their own.

    Args:
        method: Which.
        teacher: The teacher's logits, shape (examples, classes).
        own: The logits of the student as it was before the run, same shape.
        labels: Shape (examples,), int64; None if the run may not know them.
        seen: How many private examples of each class the teacher, and the student, was pre-trained on,
            each of shape (classes,).
    """
    match method:
        case Method.PLAIN:
            return Targets(teacher)
        case Method.DATA_PARTITIONING:
            return Targets(better_of(teacher, own, labels))
        case Method.LOGIT_STANDARDISATION:
            return Targets(standardised(teacher))
        case Method.ENSEMBLE:
            return Targets((teacher + own) / 2)
        case Method.SEEN_CLASSES:
            return Targets(by_seen_classes(teacher, own, seen))
        case Method.TRUST:
            return Targets(teacher, sureness(teacher, labels))


def better_of(teacher: Tensor, own: Tensor, labels: Tensor | None) -> Tensor:
    """Of each example the logits of the model that gives its class the higher probability.

    The class is the label, or without labels the one that a model itself holds for the likeliest. So the
    student is taught where the teacher knows more, and held to what it knew elsewhere.
    Source: Roth et al. 2024, arXiv:2310.17653, section 4.3 (data-partitioning knowledge distillation).
    """
    taught = sureness(teacher, labels) > sureness(own, labels)
    return torch.where(taught[:, None], teacher, own)


def sureness(logits: Tensor, labels: Tensor | None) -> Tensor:
    """Probability at T = 1 of the label, or without labels of the likeliest class, shape (examples,)."""
    probabilities = F.softmax(logits, dim=1)
    if labels is None:
        return probabilities.max(dim=1).values
    return probabilities.gather(1, labels[:, None]).squeeze(1)


def by_seen_classes(teacher: Tensor, own: Tensor, seen: tuple[Tensor, Tensor]) -> Tensor:
    """Logits of a mixture of both models, in which each class is told by those who have seen it.

    p(c) ∝ (n_t(c) · p_t(c) + n_s(c) · p_s(c)) ÷ (n_t(c) + n_s(c)); of a class that neither has seen, the
    mean. What a model says of a class that it never saw is not heard, where the other has seen it.
    """
    counts = torch.stack([one.to(teacher) for one in seen])
    total = counts.sum(dim=0)
    weights = torch.where(total > 0, counts / total.clamp(min=1), torch.full_like(counts, 0.5))
    logs = torch.stack([F.log_softmax(teacher, dim=1), F.log_softmax(own, dim=1)])
    # In logs, as a logit far below the others must not become log 0 by rounding.
    mixed = torch.logsumexp(logs + weights.log()[:, None, :], dim=0)
    return mixed.log_softmax(dim=1)
