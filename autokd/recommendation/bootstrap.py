"""Intervals of a study, each with a bootstrap seed of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from autokd.config.confirmation import ConfirmationConfig
from autokd.core.records import Correctness
from autokd.core.setting import derive_seed
from autokd.core.verdict_basis import VariancePrior
from autokd.statistics.paired import Interval, Weights, paired_interval


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """What the intervals of one judgement share; each has its seed from `seed` and its own name.

    Attributes:
        priors: By name, what other pairs have shown about the variance between seeds.
    """

    confidence: float
    resamples: int
    seed: str | int
    priors: Mapping[str, VariancePrior] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        confirmation: ConfirmationConfig,
        seed: str | int,
        *,
        comparisons: int = 1,
        priors: Mapping[str, VariancePrior] | None = None,
    ) -> Bootstrap:
        """Return the bootstrap of a study; `comparisons` intervals hold at once (Bonferroni)."""
        confidence = 1 - (1 - confirmation.confidence) / comparisons
        return cls(confidence, confirmation.resamples, seed, priors or {})

    def for_comparisons(self, count: int) -> Bootstrap:
        """Return one whose intervals hold for so many comparisons at once (Bonferroni)."""
        return replace(self, confidence=1 - (1 - self.confidence) / count)

    def interval(
        self,
        first: Correctness,
        second: Correctness,
        *name: str,
        weights: Weights | None = None,
        noise: str = "",
    ) -> Interval:
        """Return `paired_interval`; intervals of another name are drawn with another seed.

        Args:
            noise: Name of the prior of this comparison; by default its own name.
        """
        return paired_interval(
            first,
            second,
            confidence=self.confidence,
            resamples=self.resamples,
            seed=derive_seed(self.seed, *name),
            weights=weights,
            prior=self.priors.get(noise or "/".join(name)),
        )
