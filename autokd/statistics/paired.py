"""Intervals for the difference of two models that are judged on the same examples, with a few seeds each.

    d         difference of correctness, first minus second, in {-1, 0, 1}; shape (seeds, examples)
    S, E      number of seeds, number of examples
    d[s, e] = μ + seed_s + example_e + residual_se      the crossed model; μ is what is estimated

Seeds and examples are *crossed*: every seed meets the same examples, so more seeds do not mean more
independent examples. Hence one draw of examples serves all seeds and both arms, and one draw of seeds serves
both arms: the "pigeonhole" bootstrap of Owen 2007, arXiv:0712.1111. With five seeds its percentiles are too
narrow, for two reasons: resampling S seeds shows only (S-1)/S of their variance, and S seeds estimate the
variance so poorly that Student's tails are needed. `paired_interval` corrects both;
docs/how-a-recommendation-is-made.md has the reasoning and the measured coverage.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from autokd.core.records import Correctness
from autokd.core.verdict_basis import VariancePrior

POINTS: Final = 100.0
"""Percentage points in 1."""
POWER: Final = 0.8
"""Share of cases in which a difference that counts as detectable is detected."""
Weights = NDArray[np.float64]
"""Weight of each example's correctness, shape (examples,)."""
Differences = NDArray[np.int8] | NDArray[np.float64]
"""Differences of correctness, weighted or not, shape (seeds, examples)."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean with its confidence interval, in percentage points (pp)."""

    mean: float
    low: float
    high: float

    def __post_init__(self) -> None:
        if not self.low <= self.mean <= self.high:
            raise ValueError(f"{self.low} <= {self.mean} <= {self.high} does not hold")

    def __str__(self) -> str:
        return f"{self.mean:+.1f} pp [{self.low:+.1f}, {self.high:+.1f}]"

    def to_json(self) -> dict[str, float]:
        """Return plain numbers, rounded so that the noise of the last bits disappears."""
        return {"mean": round(self.mean, 9), "low": round(self.low, 9), "high": round(self.high, 9)}


NOTHING: Final = Interval(0.0, 0.0, 0.0)
"""The gain of leaving the model as it is."""


@dataclass(frozen=True, slots=True)
class VarianceComponents:
    """Where the uncertainty of a mean difference comes from, and so what would reduce it.

    `seed`, `example` and `residual` are the mean squares of the two-way crossed layout, each over S·E, in
    pp². Their expectations are

        seed     = σ²_seed/S                + σ²_residual/(S·E)
        example  =             σ²_example/E + σ²_residual/(S·E)
        residual =                            σ²_residual/(S·E)

    Attributes:
        seeds: S; 1 if both models are fixed, so that no seed is involved and seed = residual = 0.
        examples: E.
        prior_dof: Degrees of freedom that `seed` has beyond the S - 1 of its own seeds.
    """

    seeds: int
    examples: int
    seed: float
    example: float
    residual: float
    prior_dof: float = 0.0

    @property
    def between_seeds(self) -> float:
        """Variance between the means of single seeds, in pp²."""
        return self.seed * self.seeds

    @property
    def of_examples(self) -> float:
        """The part of the squared error that more seeds do not reduce, in pp²."""
        return max(self.example - self.residual, 0.0)

    def moderated(self, prior: VariancePrior | None) -> VarianceComponents:
        """Return the same with what other pairs have shown about seeds (`autokd.statistics.moderation`)."""
        if prior is None or self.seeds < 2:
            return self
        own = self.seeds - 1
        variance = (prior.dof * prior.variance + own * self.between_seeds) / (prior.dof + own)
        return replace(self, seed=variance / self.seeds, prior_dof=prior.dof)

    def with_seeds(self, seeds: float) -> VarianceComponents:
        """Return what to expect with another number of seeds; `math.inf` leaves the part of the examples."""
        ratio = self.seeds / seeds
        return replace(
            self,
            seeds=self.seeds if math.isinf(seeds) else int(seeds),
            seed=self.seed * ratio,
            example=self.of_examples + self.residual * ratio,
            residual=self.residual * ratio,
        )

    @property
    def error(self) -> float:
        """Standard error of the mean, in pp.

        seed + example - residual estimates its square without bias. The true value is never below the
        expectation of `seed` or of `example`, so these two bound the estimate from below: with few seeds it
        would otherwise now and then come out far too small.
        """
        return math.sqrt(max(self.seed + self.example - self.residual, self.seed, self.example))

    @property
    def dof(self) -> float:
        """Degrees of freedom of `error`: Satterthwaite's, Biometrics Bulletin 2 (1946), pp. 110-114."""
        return self._dof(self.error**2, seed=self.seed)

    def half_width(self, confidence: float) -> float:
        """Return half the width of Student's interval, in pp."""
        if self.error == 0:
            return 0.0
        return float(stdtrit(self.dof, (1 + confidence) / 2)) * self.error

    def detectable(self, confidence: float) -> float:
        """Return the smallest true difference that excludes 0 in a share POWER of intervals, in pp.

        It lies beyond the half width of the interval, plus a margin for chance: the mean varies by its
        error, and half widths vary by 1/√(2·dof) of themselves.
        """
        if self.error == 0:
            return 0.0
        half, dof = self.half_width(confidence), self.dof
        chance = math.sqrt(self.error**2 + half**2 / (2 * dof))
        return half + float(stdtrit(dof, POWER)) * chance

    def single_run(self, confidence: float) -> float:
        """Return half the width of the interval for the true gain of one further run, in pp.

        The run differs from the mean by its seed, with variance S·(seed - residual), and the mean differs
        from its true value by `error`. The true gain is that on endless examples, so measuring the run on E
        examples adds nothing.
        """
        variance = self.error**2 + self.seeds * max(self.seed - self.residual, 0.0)
        if variance == 0:
            return 0.0
        dof = self._dof(variance, seed=(1 + self.seeds) * self.seed)
        return float(stdtrit(dof, (1 + confidence) / 2)) * math.sqrt(variance)

    def _dof(self, variance: float, *, seed: float) -> float:
        if variance == 0:
            return math.inf
        denominator = self.example**2 / (self.examples - 1)
        if self.seeds > 1:
            own = self.seeds - 1
            denominator += seed**2 / (own + self.prior_dof) + self.residual**2 / (self.examples - 1) / own
        # Of parts this close to 0 nothing is left once they are squared.
        return max(1.0, variance**2 / denominator) if denominator else math.inf


def paired_interval(
    first: Correctness,
    second: Correctness,
    *,
    confidence: float,
    resamples: int,
    seed: int,
    weights: Weights | None = None,
    prior: VariancePrior | None = None,
) -> Interval:
    """Return how much better `first` is than `second`, for examples and seeds like those at hand.

    To each side the interval reaches by the standard error of the crossed model times the larger of Student's
    quantile and the quantile of the standardized crossed resamples. So a skewed difference gets its long
    tail, and a sparse one, where few examples differ at all, never gets a short one.

    Args:
        first: Correctness of an arm with seeds, shape (seeds, examples), or of a fixed model, (examples,).
        second: Correctness of the other arm. If both arms have seeds, rows with the same index are paired;
            if they have no seeds in common, any order does.
        confidence: Confidence of the interval, in (0, 1).
        weights: Weight of each example; the means of weight times correctness are compared. 1 by default.
        prior: What other pairs have shown about the variance between seeds.

    Raises:
        ValueError: If the shapes do not fit, or an arm has a single seed, which cannot show how seeds vary.
    """
    mean, components, draws = _compared(first, second, weights, prior, resamples=resamples, seed=seed)
    reach = components.half_width(confidence)
    if reach == 0 or not draws.size:
        return Interval(mean, mean - reach, mean + reach)
    tail = (1 - confidence) / 2
    low, high = np.quantile(draws, [tail, 1 - tail]) * components.error
    return Interval(mean, mean - max(reach, float(-low)), mean + max(reach, float(high)))


def paired_p_value(
    first: Correctness,
    second: Correctness,
    *,
    resamples: int,
    seed: int,
    weights: Weights | None = None,
    prior: VariancePrior | None = None,
) -> float:
    """Return how likely a difference this large would be if `first` were no better; one-sided, in (0, 1].

    This reads `paired_interval` backwards: its lower end lies above 0 at a confidence c if and only if the
    p-value is below (1 - c)/2, to the resolution of the resamples. It is the larger of Student's probability
    and the share of standardized resamples that lie as far out, the observation itself counted among them.
    Arguments and errors are those of `paired_interval`.
    """
    mean, components, draws = _compared(first, second, weights, prior, resamples=resamples, seed=seed)
    if components.error == 0:
        return 1.0 if mean <= 0 else 1 / (1 + resamples)
    distance = mean / components.error
    beyond = (1 + int((draws <= -distance).sum())) / (1 + resamples)
    return max(float(stdtr(components.dof, -distance)), beyond)


def variance_components(
    first: Correctness,
    second: Correctness,
    *,
    weights: Weights | None = None,
    prior: VariancePrior | None = None,
) -> VarianceComponents:
    """Return the components behind `paired_interval`; arguments and errors are the same."""
    return _components(_weighted(_difference(first, second), weights)).moderated(prior)


def crossed_interval(difference: Differences, *, confidence: float) -> Interval:
    """Return Student's interval of the crossed model for the mean of at least two seeds and examples, in pp.

    This serves a difference that is itself a mean of differences: it is no whole number, so it cannot be
    resampled as `paired_interval` does.
    """
    mean = float(difference.mean()) * POINTS
    reach = _components(difference).half_width(confidence)
    return Interval(mean, mean - reach, mean + reach)


def _compared(
    first: Correctness,
    second: Correctness,
    weights: Weights | None,
    prior: VariancePrior | None,
    *,
    resamples: int,
    seed: int,
) -> tuple[float, VarianceComponents, NDArray[np.float64]]:
    """Return the mean in pp, its components, and standardized resamples of it (none if nothing varies)."""
    difference = _difference(first, second)
    weighted = _weighted(difference, weights)
    draws = _crossed_means(difference, resamples=resamples, rng=np.random.default_rng(seed), weights=weights)
    scatter = float(draws.std())
    standardized = (draws - draws.mean()) / scatter if scatter > 0 else draws[:0]
    components = _components(weighted).moderated(prior)
    return float(weighted.mean(dtype=np.float64)) * POINTS, components, standardized


def _weighted(difference: NDArray[np.int8], weights: Weights | None) -> Differences:
    return difference if weights is None else difference * weights


def _difference(first: Correctness, second: Correctness) -> NDArray[np.int8]:
    """Return differences in {-1, 0, 1}, shape (seeds, examples), with one row if both models are fixed."""
    for arm in (first, second):
        if arm.ndim not in (1, 2) or arm.shape[-1] < 2:
            raise ValueError(f"an arm of shape {arm.shape} is not (seeds, examples) nor (examples,)")
        if arm.ndim == 2 and arm.shape[0] < 2:
            raise ValueError("an arm with a single seed cannot show how seeds vary; give at least 2")
    if first.shape[-1] != second.shape[-1] or (first.ndim == second.ndim and first.shape != second.shape):
        raise ValueError(f"arms of shapes {first.shape} and {second.shape} cannot be paired")
    return np.atleast_2d(first.astype(np.int8) - second.astype(np.int8))


def _components(difference: Differences) -> VarianceComponents:
    """Return the analysis of variance of `difference`, shape (seeds, examples)."""
    seeds, examples = difference.shape
    by_example = difference.mean(axis=0, dtype=np.float64)
    by_seed = difference.mean(axis=1, dtype=np.float64)
    seed = residual = 0.0
    if seeds > 1:
        seed = float(by_seed.var(ddof=1)) / seeds
        residuals = difference - by_seed[:, None] - by_example + by_seed.mean()
        residual = float((residuals**2).sum()) / ((seeds - 1) * (examples - 1)) / (seeds * examples)
    return VarianceComponents(
        seeds=seeds,
        examples=examples,
        seed=seed * POINTS**2,
        example=float(by_example.var(ddof=1)) / examples * POINTS**2,
        residual=residual * POINTS**2,
    )


def _crossed_means(
    difference: NDArray[np.int8], *, resamples: int, rng: np.random.Generator, weights: Weights | None = None
) -> NDArray[np.float64]:
    """Return the means of crossed resamples of both seeds and examples, shape (resamples,).

    Once the seeds are drawn, an example matters only by its weight and by the sum of its differences over
    them, one of -S ... S. So a draw of examples is a multinomial draw of how often each weight occurs with
    each sum: the same distribution as drawing E examples one by one, in O(resamples · S) random numbers for
    each distinct weight.
    """
    seeds, examples = difference.shape
    values, kind = np.unique(np.ones(examples) if weights is None else weights, return_inverse=True)
    drawn, which = _distinct_rows(rng.multinomial(seeds, np.full(seeds, 1 / seeds), size=resamples), seeds)
    sums = np.arange(-seeds, seeds + 1)
    worth = np.outer(values, sums).ravel()
    cells = drawn @ difference + seeds + kind * len(sums) + np.arange(len(drawn))[:, None] * len(worth)
    counts = np.bincount(cells.ravel(), minlength=len(drawn) * len(worth)).reshape(len(drawn), len(worth))
    of_examples = rng.multinomial(examples, counts[which] / examples)
    means: NDArray[np.float64] = of_examples @ worth / (seeds * examples)
    return means


def _distinct_rows(rows: NDArray[np.int64], largest: int) -> tuple[NDArray[np.int64], NDArray[np.intp]]:
    """Return the distinct rows of integers in [0, largest] in order, and the place of each row among them.

    Each row is read as a number of base `largest` + 1, which sorts ten times faster than rows do.
    """
    columns = rows.shape[1]
    if (largest + 1) ** columns > np.iinfo(np.int64).max:
        distinct, places = np.unique(rows, axis=0, return_inverse=True)
        return distinct, places.ravel()
    numbers = rows @ (largest + 1) ** np.arange(columns)[::-1]
    _, first, places = np.unique(numbers, return_index=True, return_inverse=True)
    return rows[first], places
