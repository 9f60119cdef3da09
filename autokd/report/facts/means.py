"""Means over pairs; pairs that share a participant are alike, so intervals resample participants."""

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
        interval: None if all pairs share one participant, since then they do not show how participants vary.
    """

    value: float
    interval: Interval | None

    def __str__(self) -> str:
        return f"{self.value:+.1f} pp" if self.interval is None else str(self.interval)


def mean_over_pairs(values: Mapping[Pair, float], config: StudyConfig) -> Mean | None:
    """Return the mean, with the confidence of the study's verdicts; None if there are no values."""
    if not values:
        return None
    mean = float(np.mean(list(values.values())))
    if all(not pair.meeting.isdisjoint(other.meeting) for pair in values for other in values):
        return Mean(mean, None)
    recipe = config.confirmation
    return Mean(mean, dyadic_interval(values, confidence=recipe.confidence, resamples=recipe.resamples))
