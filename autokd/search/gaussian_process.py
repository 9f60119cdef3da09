"""What runs of some pairs tell of settings for another: a Gaussian process over pairs and settings.

The gain of pair p with setting x is taken as

    g(p, x) = shared(x; p) + own(x; p) + level(p)

with Gaussian priors. `shared` is a function of the setting that pairs have in common the more, the more
alike they are (features, the same teacher, the same student); `own` is the pair's alone; `level` says how
much there is to gain at all, and is likewise shared between pairs that are alike. So a pair of which nothing
is known yet gets a prediction from all others, and once it has runs of its own, those count the most.

Sources: multi-task Gaussian processes whose kernels are products over tasks and inputs, Bonilla et al. 2008,
"Multi-task Gaussian process prediction", NIPS 20; the posterior by Cholesky factors, Rasmussen and Williams
2006, algorithm 2.1. Configurations are passed on between pairs, never values: what another pair's runs say
about this one is a belief with its uncertainty, and no more than that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Final, NamedTuple, final

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from autokd.config.training import DistillationConfig
from autokd.core.setting import SEARCHABLE, BatchNorm, Method, Pair, Setting
from autokd.search.pair_features import PairFeatures

Array = NDArray[np.float64]

_SETS: Final = SEARCHABLE
_METHODS: Final = tuple(Method)
_COLUMNS: Final = 7
_TINY: Final = 1e-9
_ROOM: Final = 64
"""Rows that the Cholesky factor has room for at first; it doubles when they are used up."""
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
"""How far two pairs of a federation typically lie apart in each feature."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelParameters:
    """What is assumed of pairs and settings before anything ran.

    Variances are in units of the squared scale of the gains, `noise` among them: what the split's few
    examples and the seed add to a gain. They were found by marginal likelihood on one recorded table, and are
    judged on others (docs/results.md). What concerns methods, learning rates, epochs and BatchNorm is a
    guess: no recorded table has these.

    Attributes:
        temperature_length: In octaves of T.
        alpha_length: In units of α.
        across_sets: Correlation between two transfer sets.
        across_methods: Correlation between two methods.
        across_batch_norm: Correlation between statistics that move and that do not.
        learning_rate_length: In octaves.
        epochs_length: In octaves.
        feature_length: In typical distances between two pairs of a federation.
        shared: Of what all pairs have in common; then of pairs that are alike, have one teacher, one student.
        own: Of what a pair has for itself.
        level: Like `shared`, of the part that does not depend on the setting.
    """

    temperature_length: float = 5.0
    alpha_length: float = 0.36
    across_sets: float = 0.3
    across_methods: float = 0.6
    across_batch_norm: float = 0.6
    learning_rate_length: float = 2.0
    epochs_length: float = 2.0
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
    """A pair, of some federation: participants of one number in two federations have nothing in common."""

    federation: str
    pair: Pair
    features: PairFeatures


class Posterior(NamedTuple):
    """What is thought of the gains of some settings for one pair, in pp.

    Attributes:
        mean: Shape (settings,).
        covariance: Of the gains themselves, the noise of a single run left out; shape (settings, settings).
    """

    mean: Array
    covariance: Array

    @property
    def deviation(self) -> Array:
        """Standard deviations, shape (settings,)."""
        return np.sqrt(np.maximum(np.diag(self.covariance), _TINY))


@final
class Surrogate:
    """Learns from runs to the end, one after the other, and predicts for any pair.

    A run costs time quadratic in the number of runs before it, a prediction likewise times the settings asked
    for: the Cholesky factor of the runs' covariance only ever grows by a row.

    Args:
        prior: What is assumed of pairs and settings.
        scale: What a large gain is, in pp: the unit of the prior's variances.
        most: Runs to learn from; of later ones nothing is learned, which bounds time and memory.
        usual: What a setting means where it leaves something to the recipe.

    Attributes:
        runs: Learned from so far.
    """

    def __init__(
        self, prior: KernelParameters, *, scale: float, most: int, usual: DistillationConfig | None = None
    ) -> None:
        self._prior, self._scale, self._most, self._usual = prior, scale, most, usual
        self._subjects = _Tasks()
        self._who: list[int] = []
        self._settings = np.zeros((_ROOM, _COLUMNS))
        self._factor = np.zeros((_ROOM, _ROOM))
        self._solved = np.zeros(_ROOM)

    @property
    def runs(self) -> int:
        return len(self._who)

    @property
    def noise(self) -> float:
        """Variance that a single run adds to a gain, in pp²."""
        return self._prior.noise * self._scale**2

    def learn(self, subject: Task, setting: Setting, gain: float) -> None:
        """Take note of a run to the end.

        Args:
            gain: On the validation split, in pp.
        """
        row = self.runs
        if row >= self._most:
            return
        self._make_room(row)
        who, what = self._subjects.number(subject), encode([setting], self._usual)
        variance = self._covariance(who, what, [who], what)[0, 0] + self._prior.noise
        before = self._solve(self._covariance(who, what, self._who, self._settings[:row])[0])
        diagonal = np.sqrt(max(variance - before @ before, _TINY))
        self._factor[row, :row], self._factor[row, row] = before, diagonal
        self._solved[row] = (gain / self._scale - before @ self._solved[:row]) / diagonal
        self._settings[row] = what[0]
        self._who.append(who)

    def predict(self, subject: Task, settings: Array) -> Posterior:
        """What is thought of a pair's gains.

        Args:
            settings: As `encode` writes them, shape (settings, 7).
        """
        who, rows = self._subjects.number(subject), self.runs
        prior = self._covariance(who, settings, [who] * len(settings), settings)
        if not rows:
            return Posterior(np.zeros(len(settings)), prior * self._scale**2)
        known = self._covariance(who, settings, self._who, self._settings[:rows])
        solved = self._solve(known.T)
        mean: Array = solved.T @ self._solved[:rows]
        return Posterior(mean * self._scale, (prior - solved.T @ solved) * self._scale**2)

    def _solve(self, right: Array) -> Array:
        rows = self.runs
        if not rows:
            return right
        solved: Array = solve_triangular(self._factor[:rows, :rows], right, lower=True, check_finite=False)
        return solved

    def _covariance(self, who: int, settings: Array, others: Sequence[int], their_settings: Array) -> Array:
        """Of one pair's gains with those of others, shape (settings, others)."""
        shared, level = self._subjects.task_covariance(who, self._prior)
        numbers = np.asarray(others, dtype=np.int64)
        alike = _alike(self._prior, settings, their_settings)
        covariance: Array = alike * shared[numbers] + level[numbers]
        return covariance

    def _make_room(self, row: int) -> None:
        room = len(self._factor)
        if row < room:
            return
        self._factor = np.pad(self._factor, (0, room))
        self._settings = np.pad(self._settings, ((0, room), (0, 0)))
        self._solved = np.pad(self._solved, (0, room))


def condition(belief: Posterior, place: int, gain: float, noise: float) -> Posterior:
    """The belief once a run with the setting at `place` has come to `gain`, give or take its noise."""
    spread = belief.covariance[:, place]
    share = spread / (spread[place] + noise)
    return Posterior(
        belief.mean + share * (gain - belief.mean[place]), belief.covariance - np.outer(share, spread)
    )


def covariance(prior: KernelParameters, subjects: Sequence[Task], settings: Array) -> Array:
    """Return the prior covariance of the gains of some runs without their noise, in the squared scale.

    Args:
        subjects: Whose run each is.
        settings: As `encode` writes them, shape (runs, 7).

    Returns:
        Shape (runs, runs).
    """
    known = _Tasks()
    numbers = np.array([known.number(subject) for subject in subjects])
    task_covariance = [known.task_covariance(who, prior) for who in range(numbers.max() + 1)]
    shared, level = (np.array(part)[np.ix_(numbers, numbers)] for part in zip(*task_covariance, strict=True))
    found: Array = _alike(prior, settings, settings) * shared + level
    return found


def encode(settings: Sequence[Setting], usual: DistillationConfig | None = None) -> Array:
    """Settings as numbers, shape (settings, 7).

    Transfer set by number, log₂ T, α; method by number, learning rate and epochs in octaves of the recipe's,
    and whether BatchNorm is otherwise than there.

    Without labels the loss is the teacher's part alone, as with α = 1. The last four are 0 in a setting that
    says nothing of them.
    """
    rate, epochs, batch_norm = (
        (1.0, 1, BatchNorm.TRAIN)
        if usual is None
        else (usual.learning_rate, usual.epochs, BatchNorm(usual.batch_norm))
    )
    return np.array(
        [
            (
                _SETS.index(one.transfer_set),
                np.log2(one.temperature),
                1.0 if one.alpha is None else one.alpha,
                _METHODS.index(one.method),
                0.0 if one.learning_rate is None else np.log2(one.learning_rate / rate),
                0.0 if one.epochs is None else np.log2(one.epochs / epochs),
                float(one.batch_norm not in (None, batch_norm)),
            )
            for one in settings
        ]
    )


def _alike(prior: KernelParameters, one: Array, other: Array) -> Array:
    """Correlation of the gains of settings, shape (one, other)."""
    apart = [
        (one[:, None, 1] - other[None, :, 1]) / prior.temperature_length,
        (one[:, None, 2] - other[None, :, 2]) / prior.alpha_length,
    ]
    alike: Array = np.where(one[:, None, 0] == other[None, :, 0], 1.0, prior.across_sets)
    # Mostly nothing else is searched, and this is where a proposal spends its time.
    if one[:, 3:].any() or other[:, 3:].any():
        apart += [
            (one[:, None, 4] - other[None, :, 4]) / prior.learning_rate_length,
            (one[:, None, 5] - other[None, :, 5]) / prior.epochs_length,
        ]
        alike = alike * np.where(one[:, None, 3] == other[None, :, 3], 1.0, prior.across_methods)
        alike *= np.where(one[:, None, 6] == other[None, :, 6], 1.0, prior.across_batch_norm)
    alike *= np.exp(-0.5 * sum(distance**2 for distance in apart))
    return alike


@final
class _Tasks:
    """The pairs that were met, numbered as they came, and how alike they are."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, Pair], int] = {}
        self._features: list[tuple[float, ...]] = []
        self._teachers: list[tuple[str, int]] = []
        self._students: list[tuple[str, int]] = []
        self._known: dict[int, tuple[Array, Array]] = {}

    def number(self, subject: Task) -> int:
        federation, pair, features = subject
        if (federation, pair) not in self._numbers:
            self._numbers[federation, pair] = len(self._numbers)
            units = zip(astuple(features), astuple(_FEATURE_UNITS), strict=True)
            self._features.append(tuple(value / unit for value, unit in units))
            self._teachers.append((federation, pair.teacher))
            self._students.append((federation, pair.student))
            self._known.clear()
        return self._numbers[federation, pair]

    def task_covariance(self, who: int, prior: KernelParameters) -> tuple[Array, Array]:
        """Variance that a pair shares with each one, of what depends on the setting and of the level."""
        if who not in self._known:
            features = np.array(self._features)
            apart = ((features - features[who]) ** 2).mean(axis=1) / prior.feature_length**2
            alike = np.exp(-0.5 * apart)
            teacher = np.array([one == self._teachers[who] for one in self._teachers])
            student = np.array([one == self._students[who] for one in self._students])
            same = np.arange(len(features)) == who
            shared = prior.shared + prior.shared_alike * alike + prior.shared_teacher * teacher
            level = prior.level + prior.level_alike * alike + prior.level_teacher * teacher
            self._known[who] = (
                shared + prior.shared_student * student + prior.own * same,
                level + prior.level_student * student + prior.level_own * same,
            )
        return self._known[who]
