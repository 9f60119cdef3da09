"""The search space as Optuna sees it: distributions, and settings drawn by Optuna's samplers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution

from autokd.config.space import ALPHA, OF_LABELS, TRANSFER_SET, Range, Space
from autokd.core.setting import Setting, TransferSet


def distributions(space: Space) -> Mapping[str, BaseDistribution]:
    """Return Optuna's distributions of the dimensions of a setting, by parameter name."""
    return {
        name: FloatDistribution(dimension.low, dimension.high, log=dimension.log)
        if isinstance(dimension, Range)
        else CategoricalDistribution(dimension)
        for name, dimension in space.dimensions.items()
    }


def suggest(space: Space, trial: optuna.Trial) -> Setting:
    """Draw a setting with Optuna's sampler."""
    values: dict[str, Any] = {}
    # NOTE: the order matters: independent samplers would otherwise draw other values.
    for name in sorted(space.dimensions, key=lambda name: (name != TRANSFER_SET, name != ALPHA)):
        dimension = space.dimensions[name]
        if name in OF_LABELS and values[TRANSFER_SET] == TransferSet.PUBLIC:
            continue
        if isinstance(dimension, Range):
            values[name] = trial.suggest_float(name, dimension.low, dimension.high, log=dimension.log)
        else:
            values[name] = trial.suggest_categorical(name, dimension)
    return Setting.from_json(values)
