"""The search space: which temperatures, weights, transfer sets and positions may be tried."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from functools import cache
from typing import Annotated, Final

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from autokd.plan import Frozen, Name, StudyPlan
from autokd.recipes import read
from autokd.setting import Pair, Position, Setting, TransferSet

TEMPERATURE: Final = "temperature"
ALPHA: Final = "alpha"
TRANSFER_SET: Final = "transfer_set"


class Range(Frozen):
    """A continuous dimension, ends included."""

    low: float
    high: float
    log: bool = False

    @model_validator(mode="after")
    def _ordered(self) -> Range:
        if self.low > self.high:
            raise ValueError(f"low {self.low} lies above high {self.high}")
        if self.log and self.low <= 0:
            raise ValueError(f"a logarithmic range starts above 0, not at {self.low}")
        return self

    @property
    def distribution(self) -> BaseDistribution:
        return FloatDistribution(self.low, self.high, log=self.log)

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


Values = Annotated[tuple[float, ...], Field(min_length=1)]
"""A dimension of listed values; a frozen grid has nothing else."""

# NOTE: without a discriminator pydantic would complain of a broken Range that it is no list either.
Dimension = Annotated[
    Annotated[Range, Tag("range")] | Annotated[Values, Tag("values")],
    Discriminator(lambda given: "range" if isinstance(given, dict | Range) else "values"),
]


class Space(Frozen):
    """What may be tried for a pair (the dimensions of `Setting`) and for a meeting (`position`).

    Alpha is not sampled where the transfer set is `public`: it has no meaning there.
    """

    name: Name
    temperature: Dimension
    alpha: Dimension
    transfer_set: tuple[TransferSet, ...] = Field(min_length=1)
    position: tuple[Position, ...] = Field(default=tuple(Position), min_length=1)

    @field_validator("temperature")
    @classmethod
    def _positive(cls, dimension: Range | Values) -> Range | Values:
        low = dimension.low if isinstance(dimension, Range) else min(dimension)
        if low <= 0:
            raise ValueError(f"temperatures are positive; {low:g} is not")
        return dimension

    @field_validator("alpha")
    @classmethod
    def _a_weight(cls, dimension: Range | Values) -> Range | Values:
        ends = (dimension.low, dimension.high) if isinstance(dimension, Range) else dimension
        outside = [end for end in ends if not 0 <= end <= 1]
        if outside:
            raise ValueError(f"a weight lies in [0, 1]; {outside[0]:g} does not")
        return dimension

    @field_validator("temperature", "alpha", "transfer_set", "position")
    @classmethod
    def _no_value_twice(cls, dimension: object) -> object:
        if isinstance(dimension, tuple) and len(set(dimension)) < len(dimension):
            raise ValueError(f"lists a value twice: {', '.join(map(str, dimension))}")
        return dimension

    def distributions(self) -> Mapping[str, BaseDistribution]:
        """Optuna's view of the dimensions of a setting, by parameter name."""
        return {
            TEMPERATURE: _distribution(self.temperature),
            ALPHA: _distribution(self.alpha),
            TRANSFER_SET: CategoricalDistribution([str(one) for one in self.transfer_set]),
        }

    def suggest(self, trial: optuna.Trial) -> Setting:
        """Draw a setting from Optuna's sampler."""
        choice = trial.suggest_categorical(TRANSFER_SET, [str(one) for one in self.transfer_set])
        transfer_set = TransferSet(str(choice))
        alpha = None if transfer_set is TransferSet.PUBLIC else _draw(trial, ALPHA, self.alpha)
        return Setting(_draw(trial, TEMPERATURE, self.temperature), alpha, transfer_set)

    def __contains__(self, setting: Setting) -> bool:
        return (
            setting.transfer_set in self.transfer_set
            and setting.temperature in self.temperature
            and (setting.alpha is None or setting.alpha in self.alpha)
        )

    @property
    def is_grid(self) -> bool:
        """Whether every dimension lists its values."""
        return isinstance(self.temperature, tuple) and isinstance(self.alpha, tuple)

    def grid(self) -> tuple[Setting, ...]:
        """All settings of a grid, T × α × transfer set, and T × `public`.

        Raises:
            ValueError: If a dimension is continuous.
        """
        if not (isinstance(self.temperature, tuple) and isinstance(self.alpha, tuple)):
            raise ValueError(f"space {self.name} has a continuous dimension and so no grid")
        labelled = [one for one in self.transfer_set if one is not TransferSet.PUBLIC]
        settings = [
            Setting(temperature, alpha, transfer_set)
            for transfer_set, temperature, alpha in itertools.product(labelled, self.temperature, self.alpha)
        ]
        if TransferSet.PUBLIC in self.transfer_set:
            settings += [Setting(temperature, None, TransferSet.PUBLIC) for temperature in self.temperature]
        return tuple(settings)

    def pairs(self, pair: Pair) -> tuple[Pair, ...]:
        """The pairs that answering for `pair` has to search, the pair itself first."""
        return tuple(
            pair if position is Position.STUDENT else pair.reverse for position in sorted(self.position)
        )


def read_space(name_or_path: str) -> Space:
    """Read a search space by shipped name or path.

    Raises:
        UnknownName: No shipped space has that name.
        PlanError: The file cannot be read, or a field in it does not hold.
    """
    return read("search_spaces", name_or_path, Space)


@cache
def _sweep_settings() -> int:
    return len(read_space("poster_sweep").grid())


def sweep_epochs(plan: StudyPlan, pairs: int) -> int:
    """Epochs that the frozen grid `poster_sweep` runs on so many pairs, with this plan's budget of a run."""
    return _sweep_settings() * plan.distillation.epochs * pairs


def _draw(trial: optuna.Trial, name: str, dimension: Range | Values) -> float:
    if isinstance(dimension, Range):
        return trial.suggest_float(name, dimension.low, dimension.high, log=dimension.log)
    return trial.suggest_categorical(name, dimension)


def _distribution(dimension: Range | Values) -> BaseDistribution:
    return dimension.distribution if isinstance(dimension, Range) else CategoricalDistribution(dimension)
