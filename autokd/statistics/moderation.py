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
from scipy.special import gammaln

from autokd.core.verdict_basis import VariancePrior, VarianceSample

_FEWEST: Final = 6
"""Smallest number of pairs that show how variances differ."""
_MOST_DOF: Final = 16.0
"""Largest weight of a prior: pairs may differ more than those seen so far, and own seeds must count."""
_DOFS: Final = np.array([1, 1.5, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64, 128, 1e6])
_LOG_SCALES: Final = np.linspace(-1.5, 0.7, 45)
"""Where the likelihood is looked at: values of d0, and logs of s0² around the mean variance."""
_TINY: Final = 0.01
"""Smallest variance, as a share of the mean one: a few seeds may agree to the last example by chance."""


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
        found: dict[str, list[VarianceSample]] = {}
        for other in sorted(self._samples.keys() - {study}):
            for name, sample in self._samples[other].items():
                found.setdefault(name, []).append(sample)
        return found


def variance_prior(samples: Sequence[VarianceSample]) -> VariancePrior | None:
    """Return what these pairs tell about another one; None if they are too few.

    The parameters have the largest likelihood under s²/s0² ~ F(d, d0). Since s0² is itself an estimate, its
    degrees of freedom D, those of all samples together, count as well: 1/dof = 1/d0 + 1/D.
    """
    if len(samples) < _FEWEST:
        return None
    dof = np.array([sample.dof for sample in samples], dtype=np.float64)
    found = np.array([sample.seeds for sample in samples])
    mean = float(np.average(found, weights=dof))
    if mean <= 0:
        return None
    variances = np.maximum(found, _TINY * mean)
    # Axes: d0, log s0², samples.
    d0, scale = _DOFS[:, None, None], mean * np.exp(_LOG_SCALES)[None, :, None]
    ratio = variances / scale
    likelihood = (
        gammaln((dof + d0) / 2)
        - gammaln(dof / 2)
        - gammaln(d0 / 2)
        + dof / 2 * np.log(dof / d0)
        - np.log(scale)
        + (dof / 2 - 1) * np.log(ratio)
        - (dof + d0) / 2 * np.log1p(dof * ratio / d0)
    ).sum(axis=2)
    best, place = np.unravel_index(int(likelihood.argmax()), likelihood.shape)
    worth = 1 / (1 / float(_DOFS[best]) + 1 / float(dof.sum()))
    return VariancePrior(mean * float(np.exp(_LOG_SCALES[place])), min(worth, _MOST_DOF))
