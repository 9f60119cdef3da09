"""The distillation loss: T²·KL to the teacher's softened outputs, mixed with cross-entropy to the labels.

| symbol | meaning                              | shape            | unit              |
|--------|--------------------------------------|------------------|-------------------|
| z_s    | student logits                       | (batch, classes) | -                 |
| z_t    | teacher logits                       | (batch, classes) | -                 |
| y      | labels                               | (batch,)         | class index       |
| T      | temperature > 0                      | scalar           | -                 |
| α      | weight of the distillation term      | scalar in [0, 1] | -                 |
| soft   | T² · KL(softmax z_t/T ‖ softmax z_s/T) | scalar           | nats, batch mean  |
| hard   | cross-entropy of softmax z_s with y  | scalar           | nats, batch mean  |

total = α · soft + (1 − α) · hard, and soft alone on unlabelled examples. It is continuous in T and α over the
whole space: no case is special, so a search finds no edge to exploit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional as F

from autokd.setting import Setting


@dataclass(frozen=True, slots=True, eq=False)
class LossParts:
    """One batch's loss and what it is made of, scalars in nats.

    Attributes:
        total: What is minimised.
        soft: T²·KL to the teacher, before its weight.
        hard: Cross-entropy to the labels, before its weight; None on unlabelled examples.
    """

    total: Tensor
    soft: Tensor
    hard: Tensor | None


def soft_target_loss(student: Tensor, teacher: Tensor, *, temperature: float) -> Tensor:
    """KL(teacher ‖ student) of the softened outputs, mean over the batch in nats, times T².

    The gradient of the KL shrinks as 1/T²; the factor keeps it of one size while T is being tuned.
    Source: Hinton, Vinyals, Dean 2015, arXiv:1503.02531, section 2.

    Args:
        student: Logits, shape (batch, classes).
        teacher: Logits, same shape.
        temperature: T, a positive number.

    Returns:
        A non-negative scalar; 0 if and only if both outputs are equal.

    Raises:
        ValueError: If the shapes differ or `temperature` is not a positive number.
    """
    if student.shape != teacher.shape:
        raise ValueError(
            f"logits of student {tuple(student.shape)} and teacher {tuple(teacher.shape)} differ in shape"
        )
    if not (math.isfinite(temperature) and temperature > 0):
        raise ValueError(f"temperature={temperature} must be a positive number")
    divergence = F.kl_div(
        F.log_softmax(student / temperature, dim=1),
        F.log_softmax(teacher / temperature, dim=1),
        reduction="batchmean",
        log_target=True,
    )
    return temperature**2 * divergence


def distillation_loss(student: Tensor, teacher: Tensor, labels: Tensor | None, setting: Setting) -> LossParts:
    """α · soft + (1 − α) · hard; without labels, as on `public`, soft alone.

    Source: Hinton, Vinyals, Dean 2015, arXiv:1503.02531, section 2.

    Args:
        student: Logits, shape (batch, classes).
        teacher: Logits, same shape.
        labels: Class indices, int64, shape (batch,); None if and only if the setting's alpha is None.
        setting: T and α.

    Raises:
        ValueError: If labels are there without an alpha to weigh them, or the other way round.
    """
    soft = soft_target_loss(student, teacher, temperature=setting.temperature)
    alpha = setting.alpha
    if labels is None and alpha is None:
        return LossParts(total=soft, soft=soft, hard=None)
    if labels is None or alpha is None:
        raise ValueError(f"alpha={alpha} does not fit {'no labels' if labels is None else 'labels'}")
    hard = F.cross_entropy(student, labels)
    return LossParts(total=alpha * soft + (1 - alpha) * hard, soft=soft, hard=hard)
