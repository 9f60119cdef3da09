"""What a run of a setting promises, and how a search finds the setting that promises most."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np
from scipy.special import ndtr

from autokd.core.setting import Setting
from autokd.search.gaussian_process import Posterior
from autokd.search.kernel import Array

CENTRES: Final = 4
"""Number of settings whose neighbours are looked at in each round of local moves."""
_ROUNDS: Final = 4
"""Largest number of rounds of local moves."""


def expected_improvement(posterior: Posterior, best: float) -> Array:
    """Return E[max(0, gain − best)] of each setting, in pp."""
    deviation = posterior.deviation
    above = (posterior.mean - best) / deviation
    density = np.exp(-0.5 * above**2) / np.sqrt(2 * np.pi)
    improvement: Array = deviation * (above * ndtr(above) + density)
    return improvement


def climbed(
    known: Mapping[Setting, float],
    centres: Sequence[Setting],
    neighbours: Callable[[Setting], Sequence[Setting]],
    value: Callable[[Sequence[Setting]], Array],
) -> Setting:
    """Return the best setting that local moves find; never a worse one than the best that is known.

    Args:
        known: Values of the settings that are known; −∞ for those that are no answer.
        centres: Settings whose neighbours are looked at first, beside those of the best ones.
        neighbours: Returns the settings one step away.
        value: Returns values of settings.
    """
    values, expanded = dict(known), set[Setting]()
    for _ in range(_ROUNDS):
        best = sorted(values, key=values.__getitem__, reverse=True)[:CENTRES]
        if expanded and best[0] in expanded:
            break
        around = [setting for setting in dict.fromkeys([*best, *centres]) if setting not in expanded]
        expanded.update(around)
        moves = [
            setting
            for setting in dict.fromkeys(move for centre in around for move in neighbours(centre))
            if setting not in values
        ]
        if not moves:
            break
        values |= zip(moves, value(moves).tolist(), strict=True)
        centres = ()
    return max(values, key=values.__getitem__)
