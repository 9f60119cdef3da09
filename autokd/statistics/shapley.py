"""Shares of a gain that several steps bring about together: Shapley values.

    N      the players, here the steps
    v(A)   the result with the players A
    φ_i    Σ over A ⊆ N without i of |A|! (|N| - |A| - 1)! / |N|! · (v(A + i) - v(A))

What a player adds depends on who was there before; φ is the average over all orders (Shapley 1953, "A value
for n-person games", equation 13). The φ add up to v(N) - v(∅).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import combinations
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

_Player = TypeVar("_Player")
Values = NDArray[np.float64]
"""Results, shape (seeds, examples)."""


def shapley(
    players: frozenset[_Player], values: Mapping[frozenset[_Player], Values]
) -> dict[_Player, Values]:
    """Return each player's φ, from v of every subset of `players`."""
    count = len(players)
    shares: dict[_Player, Values] = {}
    for player in players:
        share = np.zeros_like(values[players], dtype=np.float64)
        for before in subsets(players - {player}):
            size = len(before)
            weight = math.factorial(size) * math.factorial(count - size - 1) / math.factorial(count)
            share += weight * (values[before | {player}] - values[before])
        shares[player] = share
    return shares


def subsets(players: frozenset[_Player]) -> list[frozenset[_Player]]:
    """Return all subsets, smallest first, in the same order in every process."""
    # A set has another order in every process, and so would a sum over it.
    ordered = sorted(players, key=str)
    return [frozenset(chosen) for size in range(len(ordered) + 1) for chosen in combinations(ordered, size)]
