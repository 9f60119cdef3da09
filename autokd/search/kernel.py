"""How similar the gains of pairs and settings are: the kernel of the Gaussian process, and its constants."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Final, NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from autokd.config.training import DistillationConfig
from autokd.core.setting import SEARCHABLE, AnyPair, LabelPrior, Method, Setting
from autokd.search.growth import OWN
from autokd.search.pair_features import PairFeatures

Array = NDArray[np.float64]

_METHODS: Final = tuple(Method)
COLUMNS: Final = 11
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
    the seed add to a gain. The defaults are for spaces that are considered whole. They were fitted by
    marginal likelihood on one recorded table of T, α and transfer sets and judged on others
    (docs/results.md); what is said of other dimensions are guesses. `LARGE` is for larger spaces.

    Attributes:
        temperature_length: Length scale in octaves of T.
        alpha_length: Length scale in units of α.
        across_sets: Correlation between two transfer sets.
        across_methods: Correlation between two methods, whatever the weight on the teacher.
        method_length: Length scale in units of α: two methods are as far from each other as both are from
            training without a teacher.
        across_batch_norm: Correlation between statistics that are updated and that are not.
        across_schedules: Correlation between two schedules of the learning rate.
        learning_rate_length: Length scale in octaves; so is `epochs_length`.
        training_length: Length scale in octaves of the product of learning rate and epochs, which says how
            far the student may move from where it starts.
        label_prior_length: Length scale in units of the weight of the adjusted loss.
        teachers_length: Length scale in octaves of the number of teachers, times α.
        own_model_length: Length scale in units of α: how far the same teachers with the student's own model
            are from those without it. Both are guesses.
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
    method_length: float = math.inf
    across_batch_norm: float = 0.6
    across_schedules: float = 0.6
    learning_rate_length: float = 2.0
    epochs_length: float = 2.0
    training_length: float = math.inf
    label_prior_length: float = 1.0
    teachers_length: float = 2.0
    own_model_length: float = 1.0
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


LARGE: Final = KernelParameters(
    across_methods=1.0,
    method_length=0.86,
    across_schedules=0.97,
    learning_rate_length=math.inf,
    epochs_length=2.6,
    training_length=4.0,
    label_prior_length=2.3,
)
"""For spaces too large to be considered whole: what they add was fitted on a recorded table."""


class Task(NamedTuple):
    """A pair of a federation; participants of the same number in two federations have nothing in common."""

    federation: str
    pair: AnyPair
    features: PairFeatures


def encode(settings: Sequence[Setting], recipe: DistillationConfig = PLAIN_RECIPE) -> Array:
    """Return settings as numbers, shape (settings, 11).

    The columns: index of the transfer set, log₂ T, α; index of the method, learning rate and epochs in
    octaves of the recipe's, whether BatchNorm differs from the recipe; the weight of the adjusted loss,
    1 − α, and whether the schedule differs from the recipe; log₂ of the number of teachers times α, and α
    where several teach without the student's own model. So the label prior makes no difference where labels
    have no weight, and teachers make none where they have none.

    Teachers are named by their ranks (`autokd.search.growth`). Without labels the loss has only the teacher's
    part, as with α = 1. The last eight are 0 if the setting does not set them.
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
                float(setting.schedule not in (None, recipe.schedule)),
                *_taught_by(setting),
            )
            for setting in settings
        ]
    )


def _taught_by(setting: Setting) -> tuple[float, float]:
    if setting.teachers is None:
        return 0.0, 0.0
    weight = 1.0 if setting.alpha is None else setting.alpha
    teachers = sum(rank != OWN for rank in setting.teachers)
    return weight * math.log2(max(1, teachers)), weight * (OWN not in setting.teachers)


def setting_correlation(prior: KernelParameters, first: Array, second: Array) -> Array:
    """Return the correlation of the gains of settings, shape (first, second)."""
    distances = [
        (first[:, None, 1] - second[None, :, 1]) / prior.temperature_length,
        (first[:, None, 2] - second[None, :, 2]) / prior.alpha_length,
    ]
    correlation: Array = np.where(first[:, None, 0] == second[None, :, 0], 1.0, prior.across_sets)
    # Mostly nothing else is searched, and a suggestion spends most of its time here.
    if first[:, 3:].any() or second[:, 3:].any():
        rates, epochs = (first[:, None, column] - second[None, :, column] for column in (4, 5))
        distances += [
            rates / prior.learning_rate_length,
            epochs / prior.epochs_length,
            (rates + epochs) / prior.training_length,
            (first[:, None, 7] - second[None, :, 7]) / prior.label_prior_length,
            (first[:, None, 9] - second[None, :, 9]) / prior.teachers_length,
            (first[:, None, 10] - second[None, :, 10]) / prior.own_model_length,
        ]
        same_method = first[:, None, 3] == second[None, :, 3]
        taught, also_taught = first[:, None, 2], second[None, :, 2]
        # Methods are as many orthogonal directions, and α says how far a setting goes in its own.
        apart = np.where(same_method, (taught - also_taught) ** 2, taught**2 + also_taught**2)
        correlation = correlation * np.where(same_method, 1.0, prior.across_methods)
        correlation *= np.where(first[:, None, 6] == second[None, :, 6], 1.0, prior.across_batch_norm)
        correlation *= np.where(first[:, None, 8] == second[None, :, 8], 1.0, prior.across_schedules)
        correlation *= np.exp(-0.5 * apart / prior.method_length**2)
    correlation *= np.exp(-0.5 * sum(distance**2 for distance in distances))
    return correlation


@final
class TaskIndex:
    """Numbers pairs in the order in which they come, and computes how similar they are."""

    def __init__(self, prior: KernelParameters) -> None:
        self._prior = prior
        self._numbers: dict[tuple[str, AnyPair], int] = {}
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
            teacher = np.array(
                [(name, other.teachers) == (federation, pair.teachers) for name, other in tasks]
            )
            student = np.array([(name, other.student) == (federation, pair.student) for name, other in tasks])
            same = np.arange(len(tasks)) == number
            shared = prior.shared + prior.shared_alike * alike + prior.shared_teacher * teacher
            level = prior.level + prior.level_alike * alike + prior.level_teacher * teacher
            self._covariances[number] = (
                shared + prior.shared_student * student + prior.own * same,
                level + prior.level_student * student + prior.level_own * same,
            )
        return self._covariances[number]
