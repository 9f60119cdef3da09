"""Values of the study's objective in place of accuracies, so that code that compares accuracies uses them."""

from __future__ import annotations

from dataclasses import replace

from autokd.config.objective import Objective
from autokd.core.records import TrialRecord


def scalarise(trial: TrialRecord, aims: Objective, own: float) -> TrialRecord:
    """Return the trial with values of the objective in place of accuracies in its curve.

    The value of a rung is own + v/100, where v is `Objective.value` in pp; if only gain counts, that is the
    accuracy itself. A rung that breaks a constraint is worse than no distillation, by as much as it forgets
    beyond the limit, so early stopping and sampler avoid it.

    Args:
        aims: Objective and constraints of the study recipe.
        own: Validation accuracy of the student's model before distillation, in [0, 1].
    """
    if aims == Objective():
        return trial
    lost = trial.forgetting_curve or (0.0,) * len(trial.curve)
    curve = tuple(
        (epoch, own + _value(aims, 100 * (accuracy - own), forgetting) / 100)
        for (epoch, accuracy), forgetting in zip(trial.curve, lost, strict=True)
    )
    return replace(trial, curve=curve)


def _value(aims: Objective, gain: float, forgetting: float) -> float:
    """Return the value of a rung in pp."""
    value, limit = aims.value(gain, forgetting), aims.constraints.limit
    if limit is None or forgetting <= limit:
        return value
    return min(value, 0.0) - (forgetting - limit)
