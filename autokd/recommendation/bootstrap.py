"""Intervals of a study, each with a bootstrap seed of its own."""

from __future__ import annotations

from dataclasses import dataclass

from autokd.config.study import ConfirmationConfig
from autokd.core.records import Correctness
from autokd.core.setting import derive_seed
from autokd.statistics.paired import Interval, Weights, paired_interval


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """What the intervals of one judgement share; each has its seed from `seed` and its own name."""

    confidence: float
    resamples: int
    seed: str | int

    @classmethod
    def of(cls, confirmation: ConfirmationConfig, seed: str | int, *, comparisons: int = 1) -> Bootstrap:
        """Return the bootstrap of a study; `comparisons` intervals hold at once (Bonferroni)."""
        return cls(1 - (1 - confirmation.confidence) / comparisons, confirmation.resamples, seed)

    def interval(
        self, first: Correctness, second: Correctness, *name: str, weights: Weights | None = None
    ) -> Interval:
        """Return `paired_interval`; intervals of another name are drawn with another seed."""
        return paired_interval(
            first,
            second,
            confidence=self.confidence,
            resamples=self.resamples,
            seed=derive_seed(self.seed, *name),
            weights=weights,
        )
