from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autokd.core.verdict_basis import VariancePrior, VarianceSample
from autokd.statistics.moderation import _FEWEST, _MOST_DOF, VariancePool, variance_prior


def samples(variances: list[float] | np.ndarray, dof: int = 4) -> list[VarianceSample]:
    return [VarianceSample(float(variance), dof, 1.0) for variance in variances]


def drawn(prior_dof: float, variance: float, dof: int, pairs: int, seed: int = 0) -> list[VarianceSample]:
    """Variances seen with so many degrees of freedom, of pairs whose true ones are inverse chi-squared."""
    rng = np.random.default_rng(seed)
    true = variance * prior_dof / rng.chisquare(prior_dof, pairs)
    return samples(true * rng.chisquare(dof, pairs) / dof, dof)


def of_the_distribution(prior: VariancePrior | None, seen: Sequence[VarianceSample]) -> float:
    """The degrees of freedom of the distribution; the prior counts for less, its mean being an estimate."""
    assert prior is not None
    return 1 / (1 / prior.dof - 2 / sum(sample.dof for sample in seen))


@pytest.mark.parametrize(("prior_dof", "dof"), [(8.0, 4), (12.0, 2), (10.0, 1)])
def test_it_recovers_what_variances_were_drawn_from(prior_dof: float, dof: int) -> None:
    """Medians of 100 estimates from 400 pairs each: estimates by two moments are skewed."""
    priors = [variance_prior(drawn(prior_dof, 3.0, dof, 400, seed)) for seed in range(100)]
    assert None not in priors
    assert np.median([prior.variance for prior in priors if prior]) == pytest.approx(3.0, rel=0.1)
    assert np.median([prior.dof for prior in priors if prior]) == pytest.approx(prior_dof, rel=0.25)


def test_the_mean_is_that_of_the_distribution() -> None:
    """The mean of a scaled inverse chi-squared distribution is d0·s0²/(d0 - 2): never the mean itself."""
    seen = drawn(9.0, 2.0, 4, 500)
    prior = variance_prior(seen)
    assert prior is not None
    mean, dof = np.mean([sample.seeds for sample in seen]), of_the_distribution(prior, seen)
    assert prior.variance * dof / (dof - 2) == pytest.approx(mean)
    assert prior.variance < mean


@pytest.mark.parametrize("dof", [1, 2, 4])
def test_equal_variances_give_the_largest_weight(dof: int) -> None:
    seen = samples([2.0] * 20, dof)
    prior = variance_prior(seen)
    assert prior is not None
    assert of_the_distribution(prior, seen) == pytest.approx(_MOST_DOF)
    assert prior.variance * _MOST_DOF / (_MOST_DOF - 2) == pytest.approx(2.0)


def test_the_more_pairs_and_seeds_the_more_a_prior_weighs() -> None:
    priors = [
        variance_prior(samples([2.0] * pairs, dof)) for pairs, dof in ((8, 1), (20, 1), (20, 2), (200, 4))
    ]
    weights = [prior.dof for prior in priors if prior]
    assert len(weights) == 4
    assert weights == sorted(weights)
    # Eight pairs of two seeds have eight degrees of freedom in all: they cannot tell as much as these.
    assert weights[0] < 4
    assert weights[-1] < _MOST_DOF


def test_variances_that_differ_by_chance_alone_do_so_mostly() -> None:
    """All pairs vary the same; a weight below the largest is by luck."""
    rng = np.random.default_rng(2)
    drawn_ = [samples(rng.chisquare(4, 90) / 4) for _ in range(100)]
    shares = [of_the_distribution(variance_prior(seen), seen) for seen in drawn_]
    assert np.median(shares) == pytest.approx(_MOST_DOF)


def test_the_more_pairs_differ_the_less_the_prior_weighs() -> None:
    priors = [variance_prior(drawn(dof, 1.0, 4, 2000)) for dof in (5.0, 8.0, 14.0)]
    weights = [prior.dof for prior in priors if prior]
    assert len(weights) == 3
    assert weights == sorted(weights)
    assert 4 < weights[0] < weights[-1]


def test_a_single_wild_pair_leaves_at_least_four_degrees() -> None:
    """With four or fewer the variance of variances would be infinite, and no moment would tell."""
    seen = samples([1.0] * 50 + [1e6])
    assert 4 < of_the_distribution(variance_prior(seen), seen) < 5


def test_too_few_pairs_or_no_variance_tell_nothing() -> None:
    assert variance_prior([]) is None
    assert variance_prior(samples([1.0] * (_FEWEST - 1))) is None
    assert variance_prior(samples([1.0] * _FEWEST)) is not None
    assert variance_prior(samples([0.0] * 50)) is None


def test_two_seeds_that_agree_do_not_break_it() -> None:
    """A variance of 0 is common with two seeds; logarithms of it would be infinite."""
    rng = np.random.default_rng(3)
    variances = rng.chisquare(1, 60)
    variances[:20] = 0.0
    prior = variance_prior(samples(variances, dof=1))
    assert prior is not None
    assert np.isfinite([prior.variance, prior.dof]).all()
    assert 0 < prior.variance < variances.mean()


@given(
    st.lists(st.tuples(st.floats(0, 100), st.integers(1, 9)), min_size=_FEWEST, max_size=40),
    st.floats(1e-3, 1e3),
)
def test_weights_stay_in_bounds_and_units_do_not_matter(seen: list[tuple[float, int]], unit: float) -> None:
    prior = variance_prior([VarianceSample(variance, dof, 0.0) for variance, dof in seen])
    scaled = variance_prior([VarianceSample(unit * variance, dof, 0.0) for variance, dof in seen])
    if sum(variance for variance, _ in seen) <= 1e-6:
        return
    assert prior is not None
    assert scaled is not None
    assert 0 < prior.dof < _MOST_DOF
    assert of_the_distribution(prior, [VarianceSample(*sample, 0.0) for sample in seen]) + 1e-9 >= 4
    assert prior.variance > 0
    assert scaled.dof == pytest.approx(prior.dof)
    assert scaled.variance == pytest.approx(unit * prior.variance)


def test_a_pool_leaves_out_the_pair_itself_and_knows_no_order() -> None:
    noise = {name: {"improvement": VarianceSample(float(at), 4, 1.0)} for at, name in enumerate("cab")}
    noise["b"]["default gain"] = VarianceSample(9.0, 4, 1.0)
    pool, backwards = VariancePool(), VariancePool()
    for name in "abc":
        pool.add(name, noise[name])
    for name in "cba":
        backwards.add(name, noise[name])
    assert pool.others("a") == {
        "improvement": [VarianceSample(2.0, 4, 1.0), VarianceSample(0.0, 4, 1.0)],
        "default gain": [VarianceSample(9.0, 4, 1.0)],
    }
    for name in "abcd":
        assert pool.others(name) == backwards.others(name)
    assert len(pool.others("d")["improvement"]) == 3
    assert "default gain" not in pool.others("b")


def test_a_pair_that_is_added_again_counts_once_with_what_was_seen_last() -> None:
    pool = VariancePool()
    pool.add("a", {"improvement": VarianceSample(1.0, 1, 1.0)})
    pool.add("a", {"improvement": VarianceSample(5.0, 4, 1.0)})
    assert pool.others("b") == {"improvement": [VarianceSample(5.0, 4, 1.0)]}
