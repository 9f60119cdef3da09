"""Intervals for the difference of two models that are judged on the same examples, with a few seeds each.

    d         difference of correctness, first minus second, in {-1, 0, 1}; shape (seeds, examples)
    S, E      seeds, examples
    d[s, e] = μ + seed_s + example_e + rest_se      the crossed model: μ is what is asked for

Seeds and examples are *crossed*: every seed meets the same examples, so seeds share the luck of the examples
and do not multiply them. Hence one draw of examples serves all seeds and both arms, and one draw of seeds
both arms: the "pigeonhole" bootstrap of Owen 2007, arXiv:0712.1111. With five seeds its
percentiles are too narrow, for two reasons: resampling S seeds shows only (S-1)/S of their variance, and S
seeds tell the variance so poorly that Student's tails are called for. `paired_interval` mends both;
docs/how-a-recommendation-is-made.md has the reasoning and the coverage that was measured.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from autokd.records import Correctness

POINTS: Final = 100.0
"""Percentage points in 1."""


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
        """Plain numbers, freed of the last bits' noise."""
        return {"mean": round(self.mean, 9), "low": round(self.low, 9), "high": round(self.high, 9)}


NOTHING: Final = Interval(0.0, 0.0, 0.0)
"""The gain of leaving things as they are."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Where the uncertainty of a mean difference comes from, and so what would lessen it.

    The mean squares of the two-way crossed layout, each over S·E, in pp²; their expectations are

        rows    = σ²_seed/S              + σ²_rest/(S·E)
        columns =            σ²_example/E + σ²_rest/(S·E)
        rest    =                           σ²_rest/(S·E)

    Attributes:
        seeds: S; 1 if both models are fixed, so that no seed is involved and rows = rest = 0.
        examples: E.
    """

    seeds: int
    examples: int
    rows: float
    columns: float
    rest: float

    def with_seeds(self, seeds: float) -> Spread:
        """As expected with another number of seeds; `math.inf` leaves what is due to the examples."""
        ratio = self.seeds / seeds
        return Spread(
            seeds=self.seeds if math.isinf(seeds) else int(seeds),
            examples=self.examples,
            rows=self.rows * ratio,
            columns=max(self.columns - self.rest, 0.0) + self.rest * ratio,
            rest=self.rest * ratio,
        )

    @property
    def error(self) -> float:
        """Standard error of the mean, in pp.

        rows + columns - rest estimates its square without bias. The truth is never below what rows or columns
        are expected to be, so the estimate is not let fall below either: with few seeds it would otherwise
        now and then come out far too small.
        """
        return math.sqrt(max(self.rows + self.columns - self.rest, self.rows, self.columns))

    def half_width(self, confidence: float) -> float:
        """Half the width of Student's interval, in pp.

        Degrees of freedom are Satterthwaite's, Biometrics Bulletin 2 (1946), pp. 110-114.
        """
        if self.error == 0:
            return 0.0
        doubt = self.columns**2 / (self.examples - 1)
        if self.seeds > 1:
            doubt += (self.rows**2 + self.rest**2 / (self.examples - 1)) / (self.seeds - 1)
        freedom = max(1.0, self.error**4 / doubt)
        return float(stdtrit(freedom, (1 + confidence) / 2)) * self.error


def paired_interval(
    first: Correctness, second: Correctness, *, confidence: float, resamples: int, seed: int
) -> Interval:
    """How much better `first` is than `second`, over examples and seeds like those at hand.

    The reach to each side is the standard error of the crossed model times the larger of Student's quantile
    and the quantile of the crossed resamples (standardised), so that a skewed difference gets its long tail
    and a sparse one (few examples differ at all) never a short one.

    Args:
        first: Correctness of an arm with seeds, shape (seeds, examples), or of a fixed model, (examples,).
        second: Likewise. Of two arms with seeds, row i of one belongs to row i of the other; where their
        seeds
            have nothing in common any order is as good.
        confidence: In (0, 1).
        resamples: Of the bootstrap.
        seed: Of the bootstrap; the same seed gives the same interval.

    Raises:
        ValueError: If the shapes do not fit, or an arm has a single seed: then nothing tells how seeds vary.
    """
    difference = _difference(first, second)
    mean = float(difference.mean(dtype=np.float64)) * POINTS
    spread = _spread(difference)
    reach = spread.half_width(confidence)
    draws = _crossed_means(difference, resamples=resamples, rng=np.random.default_rng(seed))
    scatter = float(draws.std())
    if reach == 0 or scatter == 0:
        return Interval(mean, mean - reach, mean + reach)
    tail = (1 - confidence) / 2
    low, high = (np.quantile(draws, [tail, 1 - tail]) - draws.mean()) / scatter * spread.error
    return Interval(mean, mean - max(reach, float(-low)), mean + max(reach, float(high)))


def paired_spread(first: Correctness, second: Correctness) -> Spread:
    """The parts of the uncertainty of `paired_interval`, of the same arguments.

    Raises:
        ValueError: As `paired_interval`.
    """
    return _spread(_difference(first, second))


def _difference(first: Correctness, second: Correctness) -> NDArray[np.int8]:
    """In {-1, 0, 1}; shape (seeds, examples), with one row if both models are fixed."""
    for arm in (first, second):
        if arm.ndim not in (1, 2) or arm.shape[-1] < 2:
            raise ValueError(f"an arm of shape {arm.shape} is not (seeds, examples) nor (examples,)")
        if arm.ndim == 2 and arm.shape[0] < 2:
            raise ValueError("an arm with a single seed tells nothing about how seeds vary; give at least 2")
    if first.shape[-1] != second.shape[-1] or (first.ndim == second.ndim and first.shape != second.shape):
        raise ValueError(f"arms of shapes {first.shape} and {second.shape} cannot be paired")
    return np.atleast_2d(first.astype(np.int8) - second.astype(np.int8))


def _spread(difference: NDArray[np.int8]) -> Spread:
    """The analysis of variance of `difference`, shape (seeds, examples)."""
    seeds, examples = difference.shape
    by_example = difference.mean(axis=0, dtype=np.float64)
    by_seed = difference.mean(axis=1, dtype=np.float64)
    rows = rest = 0.0
    if seeds > 1:
        rows = float(by_seed.var(ddof=1)) / seeds
        residual = difference - by_seed[:, None] - by_example + by_seed.mean()
        rest = float((residual**2).sum()) / ((seeds - 1) * (examples - 1)) / (seeds * examples)
    return Spread(
        seeds=seeds,
        examples=examples,
        rows=rows * POINTS**2,
        columns=float(by_example.var(ddof=1)) / examples * POINTS**2,
        rest=rest * POINTS**2,
    )


def _crossed_means(
    difference: NDArray[np.int8], *, resamples: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Means of crossed resamples of both seeds and examples, shape (resamples,).

    Once the seeds are drawn, an example matters only by the sum of its differences over them, one of -S ...
    S. So a draw of examples is a multinomial draw of how often each sum occurs: the same distribution as
    drawing E examples one by one, in O(resamples · S) random numbers.
    """
    seeds, examples = difference.shape
    drawn, which = np.unique(
        rng.multinomial(seeds, np.full(seeds, 1 / seeds), size=resamples), axis=0, return_inverse=True
    )
    sums = np.arange(-seeds, seeds + 1)
    cells = drawn @ difference + seeds + np.arange(len(drawn))[:, None] * len(sums)
    counts = np.bincount(cells.ravel(), minlength=len(drawn) * len(sums)).reshape(len(drawn), len(sums))
    of_examples = rng.multinomial(examples, counts[which.ravel()] / examples)
    means: NDArray[np.float64] = of_examples @ sums / (seeds * examples)
    return means
