"""The fit of the surrogate's constants: the likelihood is that of the surrogate itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

from autokd.search.gaussian_process import Surrogate
from autokd.search.kernel import KernelParameters, encode
from benchmarks.simulation.fit import FITTED, Runs, covariance, drawn, fitted, log_likelihood
from benchmarks.simulation.table import Table


def some(runs: Runs, count: int) -> Runs:
    return Runs(subjects=runs.subjects[:count], settings=runs.settings[:count], gains=runs.gains[:count])


def test_the_likelihood_is_the_product_of_what_the_surrogate_predicts_run_by_run(table: Table) -> None:
    runs = drawn(table, each=1, seed=0)
    settings = [
        table.settings[int(np.flatnonzero((table_settings(table) == row).all(axis=1))[0])]
        for row in runs.settings
    ]
    surrogate, total = Surrogate(KernelParameters(), scale=1.0, most=1_000), 0.0
    for subject, row, setting, gain in zip(runs.subjects, runs.settings, settings, runs.gains, strict=True):
        belief = surrogate.predict(subject, row[None])
        deviation = np.sqrt(belief.covariance[0, 0] + surrogate.noise)
        total += float(norm.logpdf(gain, belief.mean[0], deviation))
        surrogate.learn(subject, setting, float(gain))
    assert log_likelihood(KernelParameters(), runs) == pytest.approx(total)


def table_settings(table: Table) -> np.ndarray:
    return encode(table.settings)


def test_two_draws_of_a_pair_share_no_setting(table: Table) -> None:
    first, other = drawn(table, each=3, seed=0), drawn(table, each=3, seed=1, skip=3)
    assert len(first.gains) == len(other.gains) == 270
    for pair in range(90):
        mine = {tuple(row) for runs in (first, other) for row in runs.settings[3 * pair : 3 * pair + 3]}
        assert len(mine) == 6


def test_constants_that_made_the_gains_are_found_again(table: Table) -> None:
    """Of gains drawn from a known prior: noise and the pair's own part come back, which the start lacks."""
    runs = drawn(table, each=3, seed=0)
    truth = replace(KernelParameters(), noise=0.3)
    matrix = covariance(truth, runs.subjects, runs.settings) + truth.noise * np.eye(len(runs.gains))
    gains = np.linalg.cholesky(matrix) @ np.random.default_rng(0).standard_normal(len(matrix))
    runs = Runs(subjects=runs.subjects, settings=runs.settings, gains=gains)
    parameters = fitted(runs, KernelParameters(), rounds=15)
    # 270 runs tell a variance to about a tenth; this allows for four times as much.
    assert parameters.noise == pytest.approx(truth.noise, rel=0.4)
    assert log_likelihood(parameters, runs) >= log_likelihood(truth, runs) - 1
    assert log_likelihood(parameters, runs) > log_likelihood(KernelParameters(), runs) + 10


def test_what_no_table_tells_stays(table: Table) -> None:
    parameters = fitted(some(drawn(table, each=1, seed=0), 30), KernelParameters(), rounds=2)
    for name in ("across_methods", "across_batch_norm", "learning_rate_length", "epochs_length"):
        assert name not in FITTED
        assert getattr(parameters, name) == getattr(KernelParameters(), name)
    assert 0 < parameters.across_sets < 1
