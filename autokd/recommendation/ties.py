"""Choose the setting whose run is cheapest among those that cannot be told apart."""

from __future__ import annotations

from collections.abc import Sequence


def cheapest_of_the_best(means: Sequence[float], prices: Sequence[int], *, within: float) -> int:
    """Return the place of the cheapest of all whose mean lies at most `within` below the largest.

    Of those that cost the same it is the one with the larger mean, and of equals the first.

    Args:
        means: What each setting is believed to gain, in pp; not empty.
        prices: What a run of each costs, in training examples; empty if that is not known. Then the
            cheapest is the one with the largest mean.
        within: Difference in pp that is not worth a price.
    """
    places = range(len(means))
    if not prices:
        return max(places, key=means.__getitem__)
    least = max(means) - within
    return min(
        (place for place in places if means[place] >= least), key=lambda place: (prices[place], -means[place])
    )
