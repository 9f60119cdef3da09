"""Pairs, where autokd's own types allow groups of teachers too."""

from __future__ import annotations

from autokd.core.setting import AnyPair, Pair


def pair_of(pair: AnyPair) -> Pair:
    """Return the pair itself.

    Raises:
        ValueError: If it is a group, of which a benchmark of pairs has none.
    """
    if not isinstance(pair, Pair):
        raise ValueError(f"{pair} is no pair")
    return pair
