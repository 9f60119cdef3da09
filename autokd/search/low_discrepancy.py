"""Settings that cover a search space evenly: a scrambled Sobol sequence over its mixed dimensions.

Sources: Sobol 1967, "On the distribution of points in a cube and the approximate evaluation of integrals";
scrambled as in Owen 1998, "Scrambling Sobol' and Niederreiter-Xing points", by `scipy.stats.qmc`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from scipy.stats.qmc import Sobol

from autokd.config.space import Range
from autokd.core.setting import derive_seed

_DIGITS: Final = 3
"""Significant digits of continuous values: more make no difference to a run, and are hard to read."""


def even_values(dimensions: Mapping[str, Range | tuple[Any, ...]], power: int) -> list[dict[str, Any]]:
    """Return 2^`power` combinations of values that cover the dimensions evenly, the same on every call.

    Listed values share the unit interval in equal parts. The seed of the scrambling derives from the
    dimensions alone, so that equal spaces have equal points whatever their name.
    """
    described = {
        name: dimension.model_dump() if isinstance(dimension, Range) else list(dimension)
        for name, dimension in dimensions.items()
    }
    seed = derive_seed("even values", json.dumps(described, sort_keys=True))
    points = Sobol(len(dimensions), scramble=True, rng=np.random.default_rng(seed)).random_base2(power)
    return [
        {
            name: _value(dimension, float(share))
            for (name, dimension), share in zip(dimensions.items(), point, strict=True)
        }
        for point in points
    ]


def _value(dimension: Range | tuple[Any, ...], share: float) -> Any:
    """Return the value of a dimension at a share of its length, in [0, 1)."""
    if not isinstance(dimension, Range):
        return dimension[min(int(share * len(dimension)), len(dimension) - 1)]
    low, high = dimension.low, dimension.high
    value = low * (high / low) ** share if dimension.log else low + share * (high - low)
    return min(max(rounded(value), low), high)


def rounded(value: float) -> float:
    """Return a value with three significant digits."""
    if value == 0:
        return value
    return round(value, _DIGITS - 1 - math.floor(math.log10(abs(value))))
