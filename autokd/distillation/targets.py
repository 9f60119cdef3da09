"""Target logits for each example of a transfer set, computed once before the run begins.

They depend on the outputs of frozen models, the teachers and the initial student, so no method makes a
training step more expensive, and several teachers cost no more than one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional as F

from autokd.core.setting import ASKING, Method
from autokd.distillation.loss import log_counts, standardised

KAPPA: Final = 10.0
"""Examples that `balanced` adds to each class for each model, so that a class which nobody has seen is not
amplified without bound, and equal models weigh as one. With 20 for two models it was measured on CIFAR-10,
ten participants of 2,000 images."""


@dataclass(frozen=True, slots=True, eq=False)
class Targets:
    """The targets of all examples of a transfer set.

    Attributes:
        logits: Target logits, shape (examples, classes), float32; a run softens them by T.
        trust: Weight of each example's target in [0, 1], shape (examples,); None for 1.
    """

    logits: Tensor
    trust: Tensor | None = None


def targets(
    method: Method,
    *,
    teachers: Sequence[Tensor],
    student: Tensor,
    labels: Tensor | None,
    seen: Sequence[Tensor],
    asks_student: bool | None = None,
) -> Targets:
    """Return the targets of a method.

    `ensemble` is the mean of the logits of teacher and student (Lin et al. 2020, arXiv:2006.07242, section
    3), and `plain` that of all models that are asked; the other methods have functions below.

    Args:
        teachers: Logits of each teacher, shape (examples, classes); several only for methods of several.
        student: Logits of the student before the run, same shape.
        labels: Class indices of the first examples, shape (labelled,), int64; None if the run may know none.
        seen: Numbers of private examples by class of each teacher and of the student, each (classes,); for
            `balanced_estimated` the teachers' by `estimated_counts`.
        asks_student: Whether methods of several models ask the student's initial model, too; by default
            those of `ASKING` do.
    """
    if asks_student is None:
        asks_student = method in ASKING
    models = [*teachers, student] if asks_student else list(teachers)
    counts = seen if asks_student else seen[:-1]
    match method:
        case Method.SUREST:
            return Targets(surest(models))
        case Method.SEEN_CLASSES:
            return Targets(by_seen_classes(models, counts))
        case Method.BALANCED | Method.BALANCED_ESTIMATED:
            return Targets(balanced(models, counts))
        case Method.PLAIN if len(models) > 1:
            return Targets(torch.stack(models).mean(dim=0))
    (teacher,) = teachers
    match method:
        case Method.PLAIN:
            return Targets(teacher)
        case Method.DATA_PARTITIONING:
            return Targets(better_of(teacher, student, labels))
        case Method.LOGIT_STANDARDISATION:
            return Targets(standardised(teacher))
        case Method.ENSEMBLE:
            return Targets((teacher + student) / 2)
        case Method.TRUST:
            return Targets(teacher, confidence(teacher, labels))


def surest(models: Sequence[Tensor]) -> Tensor:
    """Return for each example the logits of the model with the largest probability of any class.

    A model is mostly surest of the classes that it has seen, so each teaches what it knows; the labels have
    no say, and so it serves unlabelled examples. The first of several equally sure models counts.

    Args:
        models: Logits of each model, shape (examples, classes).
    """
    stacked = torch.stack(list(models))
    best = torch.stack([confidence(each, None) for each in models]).argmax(dim=0)
    return stacked[best, torch.arange(stacked.shape[1], device=stacked.device)]


def better_of(teacher: Tensor, student: Tensor, labels: Tensor | None) -> Tensor:
    """Return for each example the logits of the model with the higher confidence.

    So the student learns from the teacher where the teacher knows more, and from its initial self elsewhere.
    Source: Roth et al. 2024, arXiv:2310.17653, section 4.3 (data-partitioning knowledge distillation).
    """
    teacher_is_better = confidence(teacher, labels) > confidence(student, labels)
    return torch.where(teacher_is_better[:, None], teacher, student)


def confidence(logits: Tensor, labels: Tensor | None) -> Tensor:
    """Return the probability at T = 1 of the label, or of the likeliest class without one; (examples,)."""
    probabilities = F.softmax(logits, dim=1)
    likeliest = probabilities.max(dim=1).values
    if labels is None:
        return likeliest
    of_labels = probabilities[: len(labels)].gather(1, labels[:, None]).squeeze(1)
    return torch.cat([of_labels, likeliest[len(labels) :]])


def by_seen_classes(models: Sequence[Tensor], counts: Sequence[Tensor]) -> Tensor:
    """Return the logits of a mixture of models, weighted in each class by the examples they have seen.

    p(c) ∝ Σ_k n_k(c) · p_k(c) ÷ Σ_k n_k(c), and the mean for a class that none has seen.

    Args:
        models: Logits of each model, shape (examples, classes).
        counts: Numbers of private examples by class of each model, shape (classes,).
    """
    seen = torch.stack([numbers.to(models[0]) for numbers in counts])
    total = seen.sum(dim=0)
    weights = torch.where(total > 0, seen / total.clamp(min=1), torch.full_like(seen, 1 / len(models)))
    logs = torch.stack([F.log_softmax(each, dim=1) for each in models])
    # In logarithms, so that a logit far below the others does not round to log 0.
    mixed = torch.logsumexp(logs + weights.log()[:, None, :], dim=0)
    return mixed.log_softmax(dim=1)


def balanced(logits: Sequence[Tensor], counts: Sequence[Tensor], *, shares: Tensor | None = None) -> Tensor:
    """Return the logits of a mixture of models with their label priors divided out, (examples, classes).

    p(c) ∝ q(c) · Σ_k p_k(c) ÷ Σ_k (n_k(c) + κ), κ = `KAPPA`. A model names a class that it has seen often too
    readily. By Bayes' rule, its answer divided by its class shares is that of a model of equal shares.
    Source: Saerens, Latinne, Decaestecker 2002, "Adjusting the outputs of a classifier to new a priori
    probabilities", Neural Computation 14, section 2.2.

    Args:
        logits: Logits of each model, shape (examples, classes).
        counts: Numbers of private examples by class of each model, shape (classes,).
        shares: Class shares q aimed at, all positive, shape (classes,); None for equal ones, those of the
            common splits.
    """
    answers = torch.stack([F.log_softmax(each, dim=1) for each in logits])
    seen = torch.stack([numbers.to(answers) for numbers in counts]).sum(dim=0)
    # In logarithms, so that a logit far below the others does not round to log 0.
    mixed = torch.logsumexp(answers, dim=0) - log_counts(seen, added=KAPPA * len(logits))
    if shares is not None:
        mixed = mixed + shares.to(mixed).log()
    return mixed.log_softmax(dim=1)


def estimated_counts(public: Tensor, examples: int) -> Tensor:
    """Return how many examples of each class a model seems to have been trained on, shape (classes,).

    Its mean output on examples of the common class shares leans towards what it has seen often.

    Args:
        public: Its logits on the public examples, shape (public, classes).
        examples: Number of its examples in total.
    """
    return examples * F.softmax(public.double(), dim=1).mean(dim=0)
