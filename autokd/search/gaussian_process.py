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
from dataclasses import astuple, dataclass
from typing import Final, NamedTuple, final

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from autokd.config.training import DistillationConfig
from autokd.core.setting import SEARCHABLE, LabelPrior, Method, Pair, Setting
from autokd.search.pair_features import PairFeatures

Array = NDArray[np.float64]

_METHODS: Final = tuple(Method)
_COLUMNS: Final = 8
_TINY: Final = 1e-9
PLAIN_RECIPE: Final = DistillationConfig(learning_rate=1.0, epochs=1)
"""Recipe for settings that leave learning rate, epochs and BatchNorm to it."""
_FEATURE_UNITS: Final = PairFeatures(
    teacher_accuracy=0.2,
    student_accuracy=0.2,
    teacher_at_home=0.25,
    overlap=0.25,
    teacher_classes=0.2,
    student_classes=0.2,
    teacher_examples=1.0,
    student_examples=1.0,
    agreement=0.2,
    teacher_confidence=0.2,
    student_confidence=0.2,
)
"""Typical distance of two pairs of a federation in each feature."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelParameters:
    """Parameters of the prior over pairs and settings.

    Variances are in units of the squared scale of the gains. `noise` is what the split's few examples and
    the seed add to a gain. The values were fitted by marginal likelihood on one recorded table and judged
    on others (docs/results.md). Those of methods, learning rates, epochs, BatchNorm and label priors are
    guesses: no recorded table has them.

    Attributes:
        temperature_length: Length scale in octaves of T.
        alpha_length: Length scale in units of α.
        across_sets: Correlation between two transfer sets.
        across_methods: Correlation between two methods.
        across_batch_norm: Correlation between statistics that are updated and that are not.
        learning_rate_length: Length scale in octaves; so is `epochs_length`.
        label_prior_length: Length scale in units of the weight of the adjusted loss.
        feature_length: Length scale in typical distances between two pairs of a federation.
        shared: Variance that all pairs share; `shared_alike`, `_teacher` and `_student` are those that
            similar pairs, pairs of the same teacher and pairs of the same student share.
        own: Variance of the part that belongs to one pair.
        level: Like `shared`, for the part that does not depend on the setting.
    """

    temperature_length: float = 5.0
    alpha_length: float = 0.36
    across_sets: float = 0.3
    across_methods: float = 0.6
    across_batch_norm: float = 0.6
    learning_rate_length: float = 2.0
    epochs_length: float = 2.0
    label_prior_length: float = 1.0
    feature_length: float = 1.2
    shared: float = 0.3
    shared_alike: float = 0.7
    shared_teacher: float = 0.05
    shared_student: float = 0.05
    own: float = 0.15
    level: float = 0.1
    level_alike: float = 0.35
    level_teacher: float = 0.1
    level_student: float = 0.1
    level_own: float = 0.02
    noise: float = 0.04


class Task(NamedTuple):
    """A pair of a federation; participants of the same number in two federations have nothing in common."""

    federation: str
    pair: Pair
    features: PairFeatures


class Prediction(NamedTuple):
    """What a surrogate predicts for some settings of one pair, with what it takes to go on from there.

    Attributes:
        mean: In units of the surrogate's scale, shape (settings,).
        covariance: Likewise squared, shape (settings, settings).
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
        self._settings = np.zeros((most, _COLUMNS))
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
        """Return the posterior of a pair's gains for settings by `encode`, shape (settings, 8)."""
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


def encode(settings: Sequence[Setting], recipe: DistillationConfig = PLAIN_RECIPE) -> Array:
    """Return settings as numbers, shape (settings, 8).

    The columns: index of the transfer set, log₂ T, α; index of the method, learning rate and epochs in
    octaves of the recipe's, whether BatchNorm differs from the recipe, and the weight of the adjusted loss,
    1 − α. So the label prior makes no difference where labels have no weight.

    Without labels the loss has only the teacher's part, as with α = 1. The last five are 0 if the setting
    does not set them.
    """
    return np.array(
        [
            (
                SEARCHABLE.index(setting.transfer_set),
                np.log2(setting.temperature),
                1.0 if setting.alpha is None else setting.alpha,
                _METHODS.index(setting.method),
                np.log2((setting.learning_rate or recipe.learning_rate) / recipe.learning_rate),
                np.log2((setting.epochs or recipe.epochs) / recipe.epochs),
                float(setting.batch_norm not in (None, recipe.batch_norm)),
                0.0 if setting.label_prior is LabelPrior.NONE else 1.0 - (setting.alpha or 0.0),
            )
            for setting in settings
        ]
    )


def setting_correlation(prior: KernelParameters, first: Array, second: Array) -> Array:
    """Return the correlation of the gains of settings, shape (first, second)."""
    distances = [
        (first[:, None, 1] - second[None, :, 1]) / prior.temperature_length,
        (first[:, None, 2] - second[None, :, 2]) / prior.alpha_length,
    ]
    correlation: Array = np.where(first[:, None, 0] == second[None, :, 0], 1.0, prior.across_sets)
    # Mostly nothing else is searched, and a suggestion spends most of its time here.
    if first[:, 3:].any() or second[:, 3:].any():
        distances += [
            (first[:, None, 4] - second[None, :, 4]) / prior.learning_rate_length,
            (first[:, None, 5] - second[None, :, 5]) / prior.epochs_length,
            (first[:, None, 7] - second[None, :, 7]) / prior.label_prior_length,
        ]
        correlation = correlation * np.where(
            first[:, None, 3] == second[None, :, 3], 1.0, prior.across_methods
        )
        correlation *= np.where(first[:, None, 6] == second[None, :, 6], 1.0, prior.across_batch_norm)
    correlation *= np.exp(-0.5 * sum(distance**2 for distance in distances))
    return correlation


@final
class TaskIndex:
    """Numbers pairs in the order in which they come, and computes how similar they are."""

    def __init__(self, prior: KernelParameters) -> None:
        self._prior = prior
        self._numbers: dict[tuple[str, Pair], int] = {}
        self._features: list[tuple[float, ...]] = []
        self._covariances: dict[int, tuple[Array, Array]] = {}

    def number(self, task: Task) -> int:
        """Return the number of a pair, from 0."""
        federation, pair, features = task
        if (federation, pair) not in self._numbers:
            self._numbers[federation, pair] = len(self._numbers)
            units = zip(astuple(features), astuple(_FEATURE_UNITS), strict=True)
            self._features.append(tuple(value / unit for value, unit in units))
            self._covariances.clear()
        return self._numbers[federation, pair]

    def covariance(self, number: int) -> tuple[Array, Array]:
        """Return what a pair shares with each pair: variances of the setting's part, and of the level."""
        if number not in self._covariances:
            prior, features, tasks = self._prior, np.array(self._features), list(self._numbers)
            federation, pair = tasks[number]
            apart = ((features - features[number]) ** 2).mean(axis=1) / prior.feature_length**2
            alike = np.exp(-0.5 * apart)
            teacher = np.array([(name, other.teacher) == (federation, pair.teacher) for name, other in tasks])
            student = np.array([(name, other.student) == (federation, pair.student) for name, other in tasks])
            same = np.arange(len(tasks)) == number
            shared = prior.shared + prior.shared_alike * alike + prior.shared_teacher * teacher
            level = prior.level + prior.level_alike * alike + prior.level_teacher * teacher
            self._covariances[number] = (
                shared + prior.shared_student * student + prior.own * same,
                level + prior.level_student * student + prior.level_own * same,
            )
        return self._covariances[number]
