"""The variance between seeds, moderated across pairs: what others have shown counts as degrees of freedom.

Two or three seeds of one pair hardly show how much seeds vary, and ninety pairs together do. The variance of
a pair is taken to be drawn from a scaled inverse chi-squared distribution, whose two parameters are estimated
from the other pairs. A pair's own variance with d degrees of freedom then becomes

    (d0 · s0² + d · s²) / (d0 + d)        with d0 + d degrees of freedom

Source: Smyth 2004, "Linear models and empirical Bayes methods", Statistical Applications in Genetics and
Molecular Biology 3(1), section 4. Only noise is shared: no effect of one pair enters the verdict of another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, final

import numpy as np

from autokd.core.verdict_basis import VariancePrior, VarianceSample

_FEWEST: Final = 8
"""Smallest number of pairs that show how variances differ."""
_MOST_DOF: Final = 16.0
"""Largest weight of a prior: pairs may differ more than those seen so far, and own seeds must count."""


@final
class VariancePool:
    """The noise that the finished pairs of one search have shown, by study and comparison."""

    def __init__(self) -> None:
        self._samples: dict[str, Mapping[str, VarianceSample]] = {}

    def add(self, study: str, samples: Mapping[str, VarianceSample]) -> None:
        """Add what a finished pair has shown, in place of what was added for it before."""
        self._samples[study] = samples

    def others(self, study: str) -> dict[str, list[VarianceSample]]:
        """Return what all pairs but one have shown, by comparison, ordered by study."""
        samples: dict[str, list[VarianceSample]] = {}
        for other in sorted(self._samples.keys() - {study}):
            for name, sample in self._samples[other].items():
                samples.setdefault(name, []).append(sample)
        return samples


def variance_prior(samples: Sequence[VarianceSample]) -> VariancePrior | None:
    """Return what these pairs tell about another one; None if they are too few, or show no variance.

    The two parameters follow from the first two moments of the sample variances. Their logarithms, which
    Smyth uses, are of no use here: two seeds that are right on equally many examples have the variance 0.
    """
    if len(samples) < _FEWEST:
        return None
    dof = np.array([sample.dof for sample in samples], dtype=np.float64)
    seeds = np.array([sample.seeds for sample in samples])
    mean = float(np.average(seeds, weights=dof))
    if mean <= 0:
        return None
    # E[s⁴] = (1 + 2/d) E[σ⁴], and for d0 degrees of freedom the variance of σ² is 2/(d0 - 4) of its mean².
    spread = float(np.average((seeds / mean) ** 2 / (1 + 2 / dof), weights=dof)) - 1
    alike = min(4 + 2 / spread, _MOST_DOF) if spread > 0 else _MOST_DOF
    # The mean is an estimate itself; pairs that share a participant are not independent, hence the 2.
    worth = 1 / (1 / alike + 2 / float(dof.sum()))
    return VariancePrior(mean * (alike - 2) / alike, worth)
