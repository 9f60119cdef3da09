"""Means over pairs; those that share a participant are alike, so intervals resample participants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from autokd.config.study import StudyConfig
from autokd.core.setting import Pair
from autokd.statistics.dyadic import dyadic_interval
from autokd.statistics.paired import Interval


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean over pairs, in pp.

    Attributes:
        interval: None where all pairs have a participant in common: then nothing tells how participants vary.
    """

    value: float
    interval: Interval | None

    def __str__(self) -> str:
        return f"{self.value:+.1f} pp" if self.interval is None else str(self.interval)


def mean_over_pairs(values: Mapping[Pair, float], plan: StudyConfig) -> Mean | None:
    """With the confidence that the plan asks for in its verdicts; None of nothing."""
    if not values:
        return None
    mean = float(np.mean(list(values.values())))
    if all(not one.meeting.isdisjoint(other.meeting) for one in values for other in values):
        return Mean(mean, None)
    recipe = plan.confirmation
    return Mean(mean, dyadic_interval(values, confidence=recipe.confidence, resamples=recipe.resamples))
