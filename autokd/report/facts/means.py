"""Means over pairs or participants; pairs that share one are alike, so intervals resample participants."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.special import stdtrit

from autokd.config.study import StudyConfig
from autokd.core.setting import Pair
from autokd.statistics.dyadic import dyadic_interval
from autokd.statistics.paired import Interval

FEWEST: Final = 4
"""Fewest participants that show how participants vary."""


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean over pairs or participants, in pp.

    Attributes:
        interval: None if all pairs share one participant, or there are few participants: then nothing shows
            how participants vary.
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


def mean_over_participants(values: Sequence[float], confidence: float) -> Mean | None:
    """Return the mean with Student's interval, for participants like these; None if there are no values.

    Args:
        values: A figure of each participant, in pp.
        confidence: Confidence of the interval, in (0, 1).
    """
    if not values:
        return None
    mean, count = float(np.mean(values)), len(values)
    if count < FEWEST:
        return Mean(mean, None)
    error = float(np.std(values, ddof=1)) / math.sqrt(count)
    reach = error * float(stdtrit(count - 1, (1 + confidence) / 2))
    return Mean(mean, Interval(mean, mean - reach, mean + reach))
