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
from scipy.special import stdtr, stdtrit

from autokd.core.records import Correctness

POINTS: Final = 100.0
"""Percentage points in 1."""
POWER: Final = 0.8
"""A difference counts as detectable if it is detected this often."""
Weights = NDArray[np.float64]
"""Of the examples of a split, shape (examples,): what each one's correctness counts."""


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

    @property
    def freedom(self) -> float:
        """Degrees of freedom of `error`: Satterthwaite's, Biometrics Bulletin 2 (1946), pp. 110-114."""
        return self._freedom(self.error**2, rows=self.rows)

    def half_width(self, confidence: float) -> float:
        """Half the width of Student's interval, in pp."""
        if self.error == 0:
            return 0.0
        return float(stdtrit(self.freedom, (1 + confidence) / 2)) * self.error

    def detectable(self, confidence: float, *, power: float = POWER) -> float:
        """The smallest true difference that such an interval tells from 0 in a share `power` of cases, in pp.

        It has to lie beyond the interval's half width, and beyond chance on top of that: what the mean is off
        by, and what half widths themselves vary by, which is 1/√(2·freedom) of them.
        """
        if self.error == 0:
            return 0.0
        half, freedom = self.half_width(confidence), self.freedom
        chance = math.sqrt(self.error**2 + half**2 / (2 * freedom))
        return half + float(stdtrit(freedom, power)) * chance

    def single_run(self, confidence: float) -> float:
        """Half the width of the interval that is to hold what one further run is worth, in pp.

        A run is off the mean by its seed, S·(rows - rest), and the mean is off the truth by its error. What
        is worth counts on endless examples: that a run is measured on E of them is no part of it.
        """
        variance = self.error**2 + self.seeds * max(self.rows - self.rest, 0.0)
        if variance == 0:
            return 0.0
        freedom = self._freedom(variance, rows=(1 + self.seeds) * self.rows)
        return float(stdtrit(freedom, (1 + confidence) / 2)) * math.sqrt(variance)

    def _freedom(self, variance: float, *, rows: float) -> float:
        if variance == 0:
            return math.inf
        doubt = self.columns**2 / (self.examples - 1)
        if self.seeds > 1:
            doubt += (rows**2 + self.rest**2 / (self.examples - 1)) / (self.seeds - 1)
        return max(1.0, variance**2 / doubt)


def paired_interval(
    first: Correctness,
    second: Correctness,
    *,
    confidence: float,
    resamples: int,
    seed: int,
    weights: Weights | None = None,
) -> Interval:
    """How much better `first` is than `second`, over examples and seeds like those at hand.

    The reach to each side is the standard error of the crossed model times the larger of Student's quantile
    and the quantile of the crossed resamples (standardised), so that a skewed difference gets its long tail
    and a sparse one (few examples differ at all) never a short one.

    Args:
        first: Correctness of an arm with seeds, shape (seeds, examples), or of a fixed model, (examples,).
        second: Likewise. Of two arms with seeds, row i of one belongs to row i of the other; where their
            seeds have nothing in common any order is as good.
        confidence: In (0, 1).
        resamples: Of the bootstrap.
        seed: Of the bootstrap; the same seed gives the same interval.
        weights: What is compared is the mean over examples of weight times correctness; by default 1 each.

    Raises:
        ValueError: If the shapes do not fit, or an arm has a single seed: then nothing tells how seeds vary.
    """
    mean, spread, draws = _compared(first, second, weights, resamples=resamples, seed=seed)
    reach = spread.half_width(confidence)
    if reach == 0 or not draws.size:
        return Interval(mean, mean - reach, mean + reach)
    tail = (1 - confidence) / 2
    low, high = np.quantile(draws, [tail, 1 - tail]) * spread.error
    return Interval(mean, mean - max(reach, float(-low)), mean + max(reach, float(high)))


def paired_p_value(
    first: Correctness,
    second: Correctness,
    *,
    resamples: int,
    seed: int,
    weights: Weights | None = None,
) -> float:
    """How likely a difference this large would be if `first` were no better; one-sided, in (0, 1].

    The interval of `paired_interval` read backwards: its lower end lies above 0 at a confidence c if and
    only if this is below (1 - c)/2, to the resolution of the resamples. The larger one of Student's
    probability and the share of standardised resamples as far out, itself counted among them.

    Args:
        first: As in `paired_interval`, like all others.

    Raises:
        ValueError: As `paired_interval`.
    """
    mean, spread, draws = _compared(first, second, weights, resamples=resamples, seed=seed)
    if spread.error == 0:
        return 1.0 if mean <= 0 else 1 / (1 + resamples)
    distance = mean / spread.error
    beyond = (1 + int((draws <= -distance).sum())) / (1 + draws.size)
    return max(float(stdtr(spread.freedom, -distance)), beyond)


def paired_spread(first: Correctness, second: Correctness, *, weights: Weights | None = None) -> Spread:
    """The parts of the uncertainty of `paired_interval`, of the same arguments.

    Raises:
        ValueError: As `paired_interval`.
    """
    return _spread(_weighted(_difference(first, second), weights))


def _compared(
    first: Correctness, second: Correctness, weights: Weights | None, *, resamples: int, seed: int
) -> tuple[float, Spread, NDArray[np.float64]]:
    """Mean in pp, its spread, and standardised resamples of it; none where nothing varies."""
    difference = _difference(first, second)
    weighted = _weighted(difference, weights)
    draws = _crossed_means(difference, resamples=resamples, rng=np.random.default_rng(seed), weights=weights)
    scatter = float(draws.std())
    standardised = (draws - draws.mean()) / scatter if scatter > 0 else draws[:0]
    return float(weighted.mean(dtype=np.float64)) * POINTS, _spread(weighted), standardised


def _weighted(
    difference: NDArray[np.int8], weights: Weights | None
) -> NDArray[np.int8] | NDArray[np.float64]:
    return difference if weights is None else difference * weights


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


def _spread(difference: NDArray[np.int8] | NDArray[np.float64]) -> Spread:
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
    difference: NDArray[np.int8],
    *,
    resamples: int,
    rng: np.random.Generator,
    weights: Weights | None = None,
) -> NDArray[np.float64]:
    """Means of crossed resamples of both seeds and examples, shape (resamples,).

    Once the seeds are drawn, an example matters only by its weight and by the sum of its differences over
    them, one of -S ... S. So a draw of examples is a multinomial draw of how often each weight occurs with
    each sum: the same distribution as drawing E examples one by one, in O(resamples · S) random numbers for
    each weight there is.
    """
    seeds, examples = difference.shape
    values, kind = np.unique(np.ones(examples) if weights is None else weights, return_inverse=True)
    drawn, which = np.unique(
        rng.multinomial(seeds, np.full(seeds, 1 / seeds), size=resamples), axis=0, return_inverse=True
    )
    sums = np.arange(-seeds, seeds + 1)
    worth = np.outer(values, sums).ravel()
    cells = drawn @ difference + seeds + kind * len(sums) + np.arange(len(drawn))[:, None] * len(worth)
    counts = np.bincount(cells.ravel(), minlength=len(drawn) * len(worth)).reshape(len(drawn), len(worth))
    of_examples = rng.multinomial(examples, counts[which.ravel()] / examples)
    means: NDArray[np.float64] = of_examples @ worth / (seeds * examples)
    return means
