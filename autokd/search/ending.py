"""Whether a search may end: no setting left is believed to gain much more than the best one known.

The posterior of the surrogate says how much each setting may gain. Draws from it show how far the best
setting lies above the one believed to be best. The search ends when that is at most `epsilon` in a share
`confidence` of the draws. Sources: Wilson 2024, "Stopping Bayesian optimization with probabilistic regret
bounds", arXiv:2402.16811; Makarova et al. 2022, "Automatic termination for hyperparameter optimization",
AutoML 2022.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from autokd.config.objective import Objective
from autokd.config.search import SearchConfig
from autokd.core.records import TrialRecord, TrialState
from autokd.core.setting import Setting
from autokd.search.gaussian_process import Posterior
from autokd.search.kernel import Array

DRAWS: Final = 500
_DISAGREEMENT: Final = 0.05
"""Share of the examples on which two good settings of one pair disagree at least."""
_JITTER: Final = 1e-3
"""Variance in pp² that is added to all settings, so that rounding never stops the draws."""


@dataclass(frozen=True, slots=True, eq=False)
class Prospects:
    """The settings of a pair that may still become its answer, and what they are believed to gain.

    Attributes:
        settings: Settings that were not tried yet, or ran to the end and satisfy the constraints.
        known: Whether each ran to the end, shape (settings,).
        posterior: Their gains, in pp.
        noise: Variance of a single run around its setting's gain, in pp².
    """

    settings: tuple[Setting, ...]
    known: NDArray[np.bool_]
    posterior: Posterior
    noise: float

    @property
    def best(self) -> int:
        """Place of the setting that is believed to be best."""
        return int(self.posterior.mean.argmax())


@dataclass(frozen=True, slots=True)
class Outlook:
    """Where a search stands.

    Attributes:
        sure: Probability that no setting gains more than `epsilon` above the one believed to be best.
        epsilon: The gain that counts, in pp.
        regret: Expected gain of the best setting above the one believed to be best, in pp.
        best: The setting that is believed to be best.
        ends: Whether the search may end, as soon as `best` has run to the end.
    """

    sure: float
    epsilon: float
    regret: float
    best: Setting
    ends: bool


def prospects(
    settings: Sequence[Setting],
    posterior: Posterior,
    trials: Sequence[TrialRecord],
    *,
    aims: Objective,
    noise: float,
) -> Prospects | None:
    """Leave out the settings that cannot become the answer; None if none is left.

    Args:
        settings: Settings of `posterior`.
        trials: The pair's trials, with forgetting as it was measured.
    """
    known = {
        trial.setting
        for trial in trials
        if trial.state is TrialState.COMPLETE and aims.keeps(trial.forgetting)
    }
    out = {trial.setting for trial in trials if trial.state is not TrialState.RUNNING} - known
    kept = [place for place, setting in enumerate(settings) if setting not in out]
    if not kept:
        return None
    chosen = tuple(settings[place] for place in kept)
    left = Posterior(posterior.mean[kept], posterior.covariance[np.ix_(kept, kept)])
    return Prospects(chosen, np.array([setting in known for setting in chosen]), left, noise)


def outlook(
    search: SearchConfig, seen: Prospects, *, trials: int, validation_examples: float, seed: int
) -> Outlook:
    """Return where a search stands after so many trials that have ended.

    The number of validation examples is the effective one (`ExampleWeights.effective`).

    Doing nothing gains 0, so a setting that is believed to gain less than nothing is never missed.
    """
    epsilon = max(search.epsilon, smallest_difference(validation_examples))
    draws = posterior_draws(seen.posterior, seed)
    regret = np.maximum(draws.max(axis=1), 0.0) - np.maximum(draws[:, seen.best], 0.0)
    sure = float((regret <= epsilon).mean())
    ends = trials >= search.min_trials and sure >= search.confidence
    return Outlook(sure, epsilon, float(regret.mean()), seen.settings[seen.best], ends)


def smallest_difference(validation_examples: float) -> float:
    """Return what the validation examples can tell, in pp.

    It is the standard error of the difference of two runs that disagree on one example in twenty.
    """
    return 100 * math.sqrt(_DISAGREEMENT / validation_examples)


def posterior_draws(posterior: Posterior, seed: int) -> Array:
    """Return joint draws of the gains, shape (draws, settings)."""
    size = len(posterior.mean)
    factor = np.linalg.cholesky(posterior.covariance + _JITTER * np.eye(size))
    normal = np.random.default_rng(seed).standard_normal((DRAWS, size))
    draws: Array = posterior.mean + normal @ factor.T
    return draws
