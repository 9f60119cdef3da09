"""A Gaussian process over pairs and settings, which predicts gains of one pair from runs of others.

The gain of pair p with setting x is modelled as

    g(p, x) = shared(x; p) + own(x; p) + level(p)

with Gaussian priors. `shared` is a function of the setting; two pairs share more of it the more similar
they are (features, same teacher, same student). `own` belongs to one pair alone. `level` does not depend on
the setting and is shared between similar pairs, too. So a pair without runs gets a prediction from all
others; as soon as it has runs, these count most.

Sources: multi-task Gaussian processes whose kernels are products over tasks and inputs, Bonilla et al. 2008,
"Multi-task Gaussian process prediction", NIPS 20; the posterior by Cholesky factors, Rasmussen and Williams
2006, algorithm 2.1. Only predictions with their uncertainty go from pair to pair, never measured values.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple, final

import numpy as np
from scipy.linalg import solve_triangular

from autokd.config.training import DistillationConfig
from autokd.core.setting import Setting
from autokd.search.kernel import (
    COLUMNS,
    PLAIN_RECIPE,
    Array,
    KernelParameters,
    Task,
    TaskIndex,
    encode,
    setting_correlation,
)

_TINY: Final = 1e-9


class Prediction(NamedTuple):
    """What a surrogate predicts for some settings of one pair, with what it takes to go on from there.

    Attributes:
        mean: In units of the surrogate's scale, shape (settings,).
        covariance: In the square of these units, shape (settings, settings).
        solved: The runs' part of the prediction, L⁻¹K with the Cholesky factor L, shape (runs, settings).
    """

    mean: Array
    covariance: Array
    solved: Array


class Posterior(NamedTuple):
    """Distribution of the gains of some settings for one pair, in pp.

    Attributes:
        mean: Means, shape (settings,).
        covariance: Covariance of the gains without the noise of a single run, shape (settings, settings).
    """

    mean: Array
    covariance: Array

    @property
    def deviation(self) -> Array:
        """Standard deviations, shape (settings,)."""
        return np.sqrt(np.maximum(np.diag(self.covariance), _TINY))


@final
class Surrogate:
    """Learns from complete runs, one after the other, and predicts for any pair.

    With n runs, learning another takes O(n²) time and predicting O(n²) per setting, since the Cholesky
    factor of the runs' covariance grows by one row. A prediction that is kept takes O(n) per setting for each
    further run.

    Args:
        prior: Parameters of the prior.
        scale: Size of a large gain, in pp; variances are in units of its square.
        most: Largest number of runs to learn from; later ones are ignored, which bounds time and memory.
        recipe: Values that a setting does not set.
    """

    def __init__(
        self, prior: KernelParameters, *, scale: float, most: int, recipe: DistillationConfig = PLAIN_RECIPE
    ) -> None:
        self._prior, self._scale, self._most, self._recipe = prior, scale, most, recipe
        self._tasks = TaskIndex(prior)
        self._learned: list[int] = []
        # The system gives memory only to the rows that are used.
        self._settings = np.zeros((most, COLUMNS))
        self._factor = np.zeros((most, most))
        self._solved = np.zeros(most)

    @property
    def runs(self) -> int:
        """Number of runs learned from."""
        return len(self._learned)

    @property
    def noise(self) -> float:
        """Variance of a single run's gain around its mean, in pp²."""
        return self._prior.noise * self._scale**2

    def learn(self, task: Task, setting: Setting, gain: float) -> None:
        """Learn from a complete run, with its gain on the validation split in pp."""
        row = self.runs
        if row >= self._most:
            return
        number, encoded = self._tasks.number(task), encode([setting], self._recipe)
        variance = self._covariance(number, encoded, [number], encoded)[0, 0] + self._prior.noise
        before = _solve(
            self._factor[:row, :row],
            self._covariance(number, encoded, self._learned, self._settings[:row])[0],
        )
        diagonal = np.sqrt(max(variance - before @ before, _TINY))
        self._factor[row, :row], self._factor[row, row] = before, diagonal
        self._solved[row] = (gain / self._scale - before @ self._solved[:row]) / diagonal
        self._settings[row] = encoded[0]
        self._learned.append(number)

    def predict(self, task: Task, settings: Array) -> Posterior:
        """Return the posterior of a pair's gains for settings by `encode`, shape (settings, 9)."""
        return self.posterior(self.extend(task, settings))

    def extend(self, task: Task, settings: Array, before: Prediction | None = None) -> Prediction:
        """Return what is predicted for a pair; with an earlier prediction, only later runs take time.

        The factor L grows by rows, and the earlier ones stay: so L⁻¹K grows by rows, too.
        """
        number, rows = self._tasks.number(task), self.runs
        if before is None:
            prior = self._covariance(number, settings, [number] * len(settings), settings)
            before = Prediction(np.zeros(len(settings)), prior, np.zeros((0, len(settings))))
        known = len(before.solved)
        if known == rows:
            return before
        others, theirs = self._learned[known:], self._settings[known:rows]
        right = self._covariance(number, settings, others, theirs).T
        right -= self._factor[known:rows, :known] @ before.solved
        new = _solve(self._factor[known:rows, known:rows], right)
        return Prediction(
            before.mean + new.T @ self._solved[known:rows],
            before.covariance - new.T @ new,
            np.concatenate([before.solved, new]),
        )

    def joined(
        self, task: Task, first: Prediction, settings: Array, second: Prediction, others: Array
    ) -> Prediction:
        """Return the prediction for the settings of two predictions for one pair from the same runs.

        Args:
            settings: Settings of `first`, by `encode`.
            others: Settings of `second`, by `encode`.
        """
        number = self._tasks.number(task)
        across = self._covariance(number, settings, [number] * len(others), others)
        across -= first.solved.T @ second.solved
        return Prediction(
            np.concatenate([first.mean, second.mean]),
            np.block([[first.covariance, across], [across.T, second.covariance]]),
            np.concatenate([first.solved, second.solved], axis=1),
        )

    def posterior(self, prediction: Prediction) -> Posterior:
        """Return a prediction in pp."""
        return Posterior(prediction.mean * self._scale, prediction.covariance * self._scale**2)

    def _covariance(
        self, number: int, settings: Array, others: Sequence[int], their_settings: Array
    ) -> Array:
        """Return the covariance of one pair's gains with those of others, shape (settings, others)."""
        shared, level = self._tasks.covariance(number)
        numbers = np.asarray(others, dtype=np.int64)
        alike = setting_correlation(self._prior, settings, their_settings)
        covariance: Array = alike * shared[numbers] + level[numbers]
        return covariance


def _solve(factor: Array, right: Array) -> Array:
    solved: Array = solve_triangular(factor, right, lower=True, check_finite=False)
    return solved


def condition(posterior: Posterior, place: int, gain: float, noise: float) -> Posterior:
    """Return the posterior after one more run: the setting at `place` came to `gain`, with noise."""
    spread = posterior.covariance[:, place]
    share = spread / (spread[place] + noise)
    return Posterior(
        posterior.mean + share * (gain - posterior.mean[place]),
        posterior.covariance - np.outer(share, spread),
    )
