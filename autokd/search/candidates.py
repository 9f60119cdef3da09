"""The settings that a search chooses from: a fixed set that covers the space, and steps away from it.

A space of few settings is considered whole, on a lattice. In a larger one the fixed set holds a
low-discrepancy sample, the corners of T and α, and the families that verdicts compare: training without a
teacher, and the default setting with other budgets. What lies between is reached by `neighbours`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from autokd.config.space import (
    ALPHA,
    LABEL_PRIOR,
    LEARNING_RATE,
    METHOD,
    OF_LABELS,
    TEACHERS,
    TEMPERATURE,
    TRANSFER_SET,
    Range,
    Space,
)
from autokd.core.setting import DEFAULT, LabelPrior, Setting, TransferSet, plain
from autokd.search.low_discrepancy import even_values, rounded
from autokd.search.tpe import initial_settings

LARGEST_LATTICE: Final = 512
"""Number of settings up to which a lattice is considered whole."""
_EVEN: Final = 9
"""Binary logarithm of the size of the low-discrepancy sample of a larger space."""
_VALUES: Final = {TEMPERATURE: 7, ALPHA: 9, LEARNING_RATE: 4}
"""Number of lattice values of each continuous dimension; gains change little from one to the next."""
_OF_TEACHING: Final = (TEMPERATURE, ALPHA, METHOD, LABEL_PRIOR, TRANSFER_SET, TEACHERS)
"""Dimensions that say what is taught; the others say how the student is trained."""
_CORNER_ALPHAS: Final = (0.125, 0.5, 1.0)
_LABELLED: Final = (TransferSet.STUDENT, TransferSet.TEACHER, TransferSet.BOTH)
"""Transfer sets of different labelled examples: `student_public` has no labels that `student` lacks."""

Values = Mapping[str, Any]


def candidate_settings(space: Space) -> tuple[Setting, ...]:
    """Return the settings to choose from: a grid itself, else a lattice or a sample; and the default setting.

    Without the teacher (α = 0) temperature and method have no effect, so each transfer set has one such
    setting for each label prior and budget. The label prior in turn has no effect with α = 1.
    """
    if space.is_grid:
        return tuple(dict.fromkeys([*space.grid(), DEFAULT]))
    settings = _lattice(space) if is_small(space) else _sample(space)
    return tuple(dict.fromkeys([*initial_settings(space), *settings, DEFAULT]))


def is_small(space: Space) -> bool:
    """Return whether all of a space is considered: it is a grid, or has a small lattice."""
    if space.is_grid:
        return True
    # Two of three settings of a lattice may have the same effect as others, hardly more.
    size = math.prod(len(_spaced_or_listed(name, values)) for name, values in space.dimensions.items())
    return size <= 4 * LARGEST_LATTICE and len(_lattice(space)) <= LARGEST_LATTICE


def neighbours(space: Space, setting: Setting) -> tuple[Setting, ...]:
    """Return the settings one step away in one dimension; none of a setting outside the space.

    A step goes to the next value of the lattice in either direction, halfway there, or to another name.
    """
    if setting not in space:
        return ()
    here, nearby = setting.values(), []
    if TEACHERS in space.dimensions and setting.teachers is None:
        # Where nobody teaches, a step to a weight on the teachers needs some.
        here[TEACHERS] = _spaced_or_listed(TEACHERS, space.dimensions[TEACHERS])[0]
    for name, dimension in space.dimensions.items():
        if name in OF_LABELS and setting.alpha is None:
            continue
        nearby += [_with(here, {name: value}) for value in _steps(name, dimension, here[name])]
    return tuple(moved for moved in dict.fromkeys(map(plain, nearby)) if moved in space and moved != setting)


def _lattice(space: Space) -> list[Setting]:
    lists = {
        name: spaced(dimension, _VALUES[name])
        for name, dimension in space.dimensions.items()
        if isinstance(dimension, Range)
    }
    lattice = type(space).model_validate(space.model_dump() | lists)
    return [setting for setting in lattice.grid() if setting.alpha != 0 and setting == plain(setting)]


def _sample(space: Space) -> list[Setting]:
    """Return what is considered of a space too large for a lattice, without settings of the same effect."""
    sample = [_with({}, values) for values in even_values(space.dimensions, _EVEN)]
    chosen = [*_families(space), *_corners(space), *sample]
    return [setting for setting in dict.fromkeys(map(plain, chosen)) if setting in space]


def _families(space: Space) -> list[Setting]:
    """Return training without a teacher, and the default setting, with every budget of a lattice."""
    budgets = list(_combinations(space, [name for name in space.dimensions if name not in _OF_TEACHING]))
    taught = [
        _with({ALPHA: 0.0, TRANSFER_SET: transfer_set, LABEL_PRIOR: label_prior}, budget)
        for transfer_set in space.transfer_set
        if transfer_set in _LABELLED
        for label_prior in space.label_prior
        for budget in budgets
    ]
    return [*taught, *(_with(DEFAULT.values(), budget) for budget in budgets)]


def _corners(space: Space) -> list[Setting]:
    """Return the ends of T with little, half and all weight on the teacher, for each transfer set and method.

    Each other dimension has its default, or the middle of its values.
    """
    middle = _middle(space)
    temperature = space.temperature
    ends = (temperature.low, temperature.high) if isinstance(temperature, Range) else temperature
    corners = []
    for transfer_set, method in itertools.product(space.transfer_set, space.method):
        for end, alpha in itertools.product(dict.fromkeys((min(ends), 1.0, max(ends))), _CORNER_ALPHAS):
            values = {TEMPERATURE: end, ALPHA: alpha, TRANSFER_SET: transfer_set, METHOD: method}
            corners.append(_with(middle, values))
    return corners


def _middle(space: Space) -> dict[str, Any]:
    defaults = DEFAULT.values()
    return {
        name: defaults[name]
        if name in defaults and defaults[name] in dimension
        else _central(_spaced_or_listed(name, dimension))
        for name, dimension in space.dimensions.items()
    }


def _central(values: tuple[Any, ...]) -> Any:
    return values[len(values) // 2]


def _combinations(space: Space, names: Sequence[str]) -> Iterable[Values]:
    values = [_spaced_or_listed(name, space.dimensions[name]) for name in names]
    return (dict(zip(names, chosen, strict=True)) for chosen in itertools.product(*values))


def _spaced_or_listed(name: str, dimension: Range | tuple[Any, ...]) -> tuple[Any, ...]:
    return spaced(dimension, _VALUES[name]) if isinstance(dimension, Range) else dimension


def _steps(name: str, dimension: Range | tuple[Any, ...], value: Any) -> list[Any]:
    """Return the values next to one of a dimension."""
    if isinstance(dimension, Range):
        return _steps_in_range(dimension, value, _VALUES[name] - 1)
    if any(isinstance(listed, str) for listed in dimension):
        return [other for other in dimension if other != value]
    # None is the recipe's value, whose place among the others is where it is listed.
    ordered = dimension if None in dimension else tuple(sorted(dimension))
    place = ordered.index(value)
    return [*ordered[max(0, place - 1) : place], *ordered[place + 1 : place + 2]]


def _steps_in_range(dimension: Range, value: float, steps: int) -> list[float]:
    low, high = dimension.low, dimension.high
    moved = []
    for share in (-1.0, -0.5, 0.5, 1.0):
        step = share / steps
        target = value * (high / low) ** step if dimension.log else value + step * (high - low)
        moved.append(min(max(rounded(target), low), high))
    return moved


def spaced(dimension: Range, count: int) -> tuple[float, ...]:
    """Return values of a range at equal steps, or equal ratios if it is logarithmic, with both ends."""
    if dimension.low == dimension.high:
        return (dimension.low,)
    # Both return the ends exactly, so that rounding cannot leave the space.
    between = np.geomspace if dimension.log else np.linspace
    return tuple(between(dimension.low, dimension.high, count).tolist())


def _with(values: Values, changes: Values) -> Setting:
    """Return the setting with some values changed, without those of no meaning on its transfer set."""
    merged = {**DEFAULT.values(), **values, **changes}
    if merged[TRANSFER_SET] == TransferSet.PUBLIC:
        merged |= {ALPHA: None, LABEL_PRIOR: LabelPrior.NONE}
    elif merged[ALPHA] is None:
        merged[ALPHA] = DEFAULT.alpha
    return Setting.from_json(merged)
