"""Several looks at one growing mean, of which any may decide, with the error of one.

After S seeds the mean has the error² V(S) = seeds/S + examples: the examples are common to all looks. Two
looks at S < M seeds thus correlate by √(V(M)/V(S)), and each look depends on those before it through the last
one only. All looks use the same confidence (Pocock 1977, Biometrika 64, pp. 191-199). It is found by
integrating from look to look (Armitage, McPherson and Rowe 1969, JRSS A 132, pp. 235-244).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

_NODES: Final = 64
"""Nodes of the quadrature for two looks, which need no density of a middle look."""
_MORE_NODES: Final = 256
_FAR: Final = 8.0
"""A limit that no standardized mean exceeds."""


def correlations(looks: Sequence[int], seed_share: float) -> tuple[float, ...]:
    """Return the correlation of each look's mean with that of the next look.

    Args:
        looks: Numbers of seeds, increasing.
        seed_share: Variance between single seeds as a multiple of the part that the examples add. Infinite
            gives the least correlation, √(S/M): examples only make looks more alike.
    """
    share = 0.0 if math.isinf(seed_share) else 1 / max(seed_share, 1e-9)
    errors = [1 / seeds + share for seeds in looks]
    return tuple(math.sqrt(after / before) for before, after in pairwise(errors))


def confidence_of_each(confidence: float, looks: tuple[float, ...]) -> float:
    """Return the confidence of each look's interval, so that all hold at once with `confidence`.

    Args:
        looks: Result of `correlations`; empty for a single look.
    """
    return _confidence_of_each(confidence, looks) if looks else confidence


def p_value_of_all(p_value: float, looks: tuple[float, ...]) -> float:
    """Return the one-sided p-value of a look, corrected for the chance that another look shows as much.

    It is the probability under the null hypothesis that any of the planned looks lies as far out. So it is
    valid wherever the looks stopped: it is at most a with probability a.
    """
    if not looks or p_value >= 1:
        return p_value
    z = -float(ndtri(max(p_value, 1e-15)))
    return min(max(1 - _all_between(min(-_FAR, z - 1), z, looks), p_value), 1.0)


@cache
def _confidence_of_each(confidence: float, looks: tuple[float, ...]) -> float:
    # Imported here: it takes a while, and only recipes with several looks need it.
    from scipy.optimize import brentq

    z = brentq(lambda z: _all_between(-z, z, looks) - confidence, 0.5, _FAR)
    return float(2 * ndtr(z) - 1)


@cache
def _quadrature(nodes: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return nodes in [-1, 1] and weights of Gauss and Legendre's quadrature, which take a while to find."""
    return np.polynomial.legendre.leggauss(nodes)


def _all_between(low: float, high: float, looks: tuple[float, ...]) -> float:
    """Return the probability that the standardized means of all looks lie between two limits."""
    nodes, weights = _quadrature(_NODES if len(looks) == 1 else _MORE_NODES)
    half = (high - low) / 2
    inside = (low + high) / 2 + half * nodes
    density = np.exp(-(inside**2) / 2) / math.sqrt(2 * math.pi)
    *middle, last = looks
    for correlation in middle:
        rest = math.sqrt(max(1 - correlation**2, 1e-6))
        step = (inside[:, None] - correlation * inside[None, :]) / rest
        kernel = np.exp(-(step**2) / 2) / (math.sqrt(2 * math.pi) * rest)
        # Where looks are almost one, the kernel is narrower than nodes are apart; each column keeps its mass.
        mass = ndtr((high - correlation * inside) / rest) - ndtr((low - correlation * inside) / rest)
        seen = half * (weights @ kernel)
        kept = np.divide(mass, seen, out=np.ones_like(seen), where=seen > 0)
        density = kernel @ (half * weights * density * kept)
    rest = math.sqrt(max(1 - last**2, 1e-12))
    other = ndtr((high - last * inside) / rest) - ndtr((low - last * inside) / rest)
    return float(half * (weights @ (density * other)))
