"""The search space: which temperatures, weights, transfer sets and positions may be tried."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping
from enum import StrEnum
from functools import cache, cached_property
from typing import Annotated, Any, ClassVar, Final

from pydantic import BeforeValidator, Field, field_validator

from autokd.config.base import Name, Recipe
from autokd.config.dimensions import (
    DOUBLING,
    Budgets,
    Dimension,
    LearningRate,
    Rates,
    Times,
    Values,
    doublings,
    ends,
    rounded,
)
from autokd.config.dimensions import Range as Range
from autokd.config.study import Forbidden, StudyConfig
from autokd.config.yaml_files import former, read
from autokd.core.price import Prices
from autokd.core.setting import (
    DEFAULT,
    SEARCHABLE,
    AnyPair,
    BatchNorm,
    Group,
    LabelPrior,
    Method,
    Position,
    Schedule,
    Setting,
    TransferSet,
)
from autokd.errors import PlanError
from autokd.text.quoting import did_you_mean, one_of, quoted

TEMPERATURE: Final = "temperature"
ALPHA: Final = "alpha"
TRANSFER_SET: Final = "transfer_set"
METHOD: Final = "method"
LEARNING_RATE: Final = "learning_rate"
EPOCHS: Final = "epochs"
BATCH_NORM: Final = "batch_norm"
LABEL_PRIOR: Final = "label_prior"
SCHEDULE: Final = "schedule"
TEACHERS: Final = "teachers"
OF_LABELS: Final = (ALPHA, LABEL_PRIOR)
"""Dimensions that have no meaning on unlabelled examples."""


def _searchable(value: object) -> object:
    """Refuse the validation split, since settings are chosen on it."""
    if value not in SEARCHABLE:
        names = one_of(f"'{name}'" for name in SEARCHABLE)
        raise ValueError(f"must be {names}, not {quoted(value)}{did_you_mean(value, SEARCHABLE)}")
    return value


Searched = Annotated[TransferSet, BeforeValidator(_searchable)]


class Space(Recipe):
    """What may be tried for a pair (the dimensions of `Setting`) and for a meeting (`position`).

    Alpha and label prior are not sampled if the transfer set is `public`: they have no meaning there. A space
    may leave out `method` (then it is plain), `learning_rate`, `schedule`, `epochs` and `batch_norm` (then
    they are the recipe's), and `label_prior` (then there is no correction).

    Learning rates may be given relative to the recipe's (`Times`), and epochs as `doubling`. Such a space
    says what it searches only once it is `resolved` with a recipe. There None stands for the recipe's value:
    so a setting that has it is the same one, wherever it comes from.
    """

    omit_if_default: ClassVar[frozenset[str]] = frozenset({"label_prior", "schedule"})
    FURTHER: ClassVar[tuple[str, ...]] = ()
    """Names of dimensions that only some kind of space has."""

    name: Name
    temperature: Dimension
    alpha: Dimension
    transfer_set: tuple[Searched, ...] = Field(min_length=1)
    method: tuple[Method, ...] = Field(default=(Method.PLAIN,), min_length=1)
    learning_rate: LearningRate | None = None
    epochs: Budgets | None = None
    batch_norm: tuple[BatchNorm, ...] | None = Field(default=None, min_length=1)
    label_prior: tuple[LabelPrior, ...] = Field(default=(LabelPrior.NONE,), min_length=1)
    schedule: tuple[Schedule | None, ...] | None = Field(default=None, min_length=1)
    position: tuple[Position, ...] = Field(default=tuple(Position), min_length=1)

    @field_validator("temperature", "learning_rate")
    @classmethod
    def _positive(cls, dimension: Range | Times | Rates | None) -> Range | Times | Rates | None:
        for value in ends(dimension):
            if value is not None and value <= 0:
                raise ValueError(f"must be positive; {value:g} is not")
        return dimension

    @field_validator("alpha")
    @classmethod
    def _a_weight(cls, dimension: Range | Values) -> Range | Values:
        for value in ends(dimension):
            if value is not None and not 0 <= value <= 1:
                raise ValueError(f"a weight lies in [0, 1]; {value:g} does not")
        return dimension

    @field_validator("*")
    @classmethod
    def _no_value_twice(cls, dimension: object) -> object:
        if isinstance(dimension, tuple) and len(set(dimension)) < len(dimension):
            raise ValueError(f"lists a value twice: {', '.join(map(str, dimension))}")
        return dimension

    @cached_property
    def dimensions(self) -> Mapping[str, Range | tuple[Any, ...]]:
        """The dimensions of a setting that are searched, by name; enum members as plain strings.

        None among the values is the recipe's value.

        Raises:
            ValueError: If the space is relative to a recipe and not `resolved`.
        """
        if not self.is_resolved:
            raise ValueError(f"space {self.name} is relative to a recipe; resolve it with one first")
        dimensions = {name: getattr(self, name) for name in (*DEFAULT.values(), *self.FURTHER)}
        if self.method == (Method.PLAIN,):
            del dimensions[METHOD]
        if self.label_prior == (LabelPrior.NONE,):
            del dimensions[LABEL_PRIOR]
        return {
            name: dimension if isinstance(dimension, Range) else tuple(map(_plain, dimension))
            for name, dimension in dimensions.items()
            if dimension is not None
        }

    def __contains__(self, setting: Setting) -> bool:
        values, defaults = setting.values(), DEFAULT.values()
        searched = self.dimensions
        return all(
            values[name] in searched[name] if name in searched else values[name] == defaults.get(name)
            for name in values
            if not (name in OF_LABELS and setting.alpha is None)
        )

    @property
    def is_grid(self) -> bool:
        """Whether every dimension lists its values."""
        return not any(isinstance(dimension, Range) for dimension in self.dimensions.values())

    def grid(self) -> tuple[Setting, ...]:
        """Return all settings of a grid: T × α × transfer set, and T × `public`, times the other dimensions.

        Raises:
            ValueError: If a dimension is continuous.
        """
        if not self.is_grid:
            raise ValueError(f"space {self.name} has a continuous dimension and so no grid")
        lists = {name: dimension for name, dimension in self.dimensions.items() if name != TRANSFER_SET}
        settings: list[Setting] = []
        # Settings on unlabelled examples come last, whatever the order of the transfer sets.
        for transfer_set in sorted(self.transfer_set, key=lambda examples: examples is TransferSet.PUBLIC):
            public = transfer_set is TransferSet.PUBLIC
            names = [name for name in lists if not (public and name in OF_LABELS)]
            settings += [
                Setting.from_json({TRANSFER_SET: transfer_set, **dict(zip(names, values, strict=True))})
                for values in itertools.product(*(lists[name] for name in names))
            ]
        return tuple(settings)

    @property
    def is_resolved(self) -> bool:
        """Whether nothing of the space is relative to a recipe."""
        return not (isinstance(self.learning_rate, Times) or self.epochs == DOUBLING)

    def resolved(self, config: StudyConfig) -> Space:
        """Return what the space searches under a study recipe; a space of former versions stays as it is.

        Multiples become learning rates, and `doubling` becomes epochs. The recipe's own value becomes None,
        also among schedules. A dimension of which nothing but that is left is not searched.
        """
        recipe = config.distillation
        left: dict[str, tuple[Any, ...]] = {}
        if isinstance(self.learning_rate, Times):
            rates = (rounded(times * recipe.learning_rate) for times in self.learning_rate.times)
            # Two multiples may round to one rate.
            left[LEARNING_RATE] = tuple(
                dict.fromkeys(None if rate == rounded(recipe.learning_rate) else rate for rate in rates)
            )
        if self.epochs == DOUBLING:
            left[EPOCHS] = (None, *doublings(recipe.epochs, config.max_epochs)[1:])
        if self.schedule is not None:
            left[SCHEDULE] = tuple(
                None if schedule == recipe.schedule else schedule for schedule in self.schedule
            )
        if not left:
            return self
        return self._changed({name: None if values == (None,) else values for name, values in left.items()})

    def budgets(self, config: StudyConfig) -> tuple[int, ...]:
        """Return the epochs that trials may take, increasing, with the recipe's; the space is `resolved`."""
        usual = config.distillation.epochs
        searched = self.epochs if isinstance(self.epochs, tuple) else ()
        return tuple(sorted({usual, *(epochs or usual for epochs in searched)}))

    def permitted(self, forbidden: Forbidden) -> Space:
        """Return the space without the forbidden values; raise `PlanError` if that leaves nothing."""
        left = {
            "transfer_set": tuple(name for name in self.transfer_set if name not in forbidden.transfer_sets),
            "position": tuple(name for name in self.position if name not in forbidden.positions),
            "method": forbidden.methods(self.method),
        }
        for dimension, values in left.items():
            if not values:
                problem = f"leaves nothing of the space {self.name}: its {dimension} is all forbidden"
                counts = dimension == METHOD and forbidden.class_counts
                field = "class_counts" if counts else f"{dimension}s"
                raise PlanError(source="study", field=f"forbid.{field}", problem=problem)
        return self._changed(left)

    def _changed(self, values: Mapping[str, Any]) -> Space:
        space = self.model_copy(update=values)
        # NOTE: pydantic copies cached properties, too.
        space.__dict__.pop("dimensions", None)
        return space

    def pairs(self, pair: AnyPair) -> tuple[AnyPair, ...]:
        """Return the pairs to search for an answer about `pair`, the pair itself first; a group is alone."""
        if isinstance(pair, Group):
            return (pair,)
        return tuple(
            pair if position is Position.STUDENT else pair.reverse for position in sorted(self.position)
        )


class GroupSpace(Space):
    """What may be tried for a student and several candidates to teach it.

    Attributes:
        teachers: Which of the candidates may teach together, as texts like `0 3 7`.
    """

    FURTHER: ClassVar[tuple[str, ...]] = (TEACHERS,)

    teachers: tuple[str, ...] = Field(min_length=1)


def group_space(space: Space, config: StudyConfig, teachers: tuple[str, ...]) -> GroupSpace:
    """Return what is searched for a group where `space` is searched for a pair, which is `resolved`.

    The targets are those of several models, the labels' loss may be adjusted, since several teachers have to
    be better than that, and the transfer sets are the recipe's for groups. All else is as for a pair.

    Raises:
        PlanError: If the recipe forbids everything.
    """
    values = space.model_dump() | {
        "transfer_set": config.several.transfer_sets,
        "method": _OF_GROUPS,
        "label_prior": tuple(LabelPrior),
        TEACHERS: teachers,
    }
    # Nothing of a resolved space is relative; its dump has None where the recipe's value is meant.
    permitted = GroupSpace.model_validate(values).permitted(config.forbidden)
    assert isinstance(permitted, GroupSpace)
    return permitted


_OF_GROUPS: Final = (Method.PLAIN, Method.SUREST, Method.SEEN_CLASSES, Method.BALANCED)


def read_space(name_or_path: str) -> Space:
    """Read a search space by shipped name or path.

    Raises:
        UnknownName: If no shipped space has that name.
        PlanError: If the file cannot be read, or one of its fields is not valid.
    """
    return read("search_spaces", name_or_path, Space)


def former_spaces(name_or_path: str) -> tuple[Space, ...]:
    """Return what a shipped space was before, the newest first; a file of the user's has no former spaces."""
    return tuple(map(read_space, former(name_or_path)))


@cache
def _sweep() -> tuple[Setting, ...]:
    return read_space("poster_sweep").grid()


@cache
def _sweep_sets() -> Counter[TransferSet]:
    """Return the number of settings of the sweep by transfer set, which decides the price of an epoch."""
    return Counter(setting.transfer_set for setting in _sweep())


def sweep_epochs(config: StudyConfig, space: Space, pairs: int) -> int:
    """Return the number of epochs that a sweep of the grid `poster_sweep` takes for so many pairs.

    Each of its settings gets the largest budget that the space may give a trial.
    """
    return len(_sweep()) * space.budgets(config)[-1] * pairs


def sweep_examples(config: StudyConfig, space: Space, prices: Prices) -> int:
    """Return the training examples that the sweep of `sweep_epochs` takes in one pair."""
    epochs = space.budgets(config)[-1]
    # By transfer set: a batch may have ten thousand pairs, and each setting has one of four prices.
    return sum(count * epochs * prices.of_epoch(name) for name, count in _sweep_sets().items())


def _plain(value: object) -> object:
    return value.value if isinstance(value, StrEnum) else value
