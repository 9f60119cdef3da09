"""Of settings that cannot be told apart, the one whose run is cheapest is chosen."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autokd.recommendation.ties import cheapest_of_the_best

believed = st.lists(st.tuples(st.integers(-400, 400), st.integers(1, 9)), min_size=1, max_size=8)
"""Means in eighths of a pp, which have no rounding errors, and prices."""


@pytest.mark.parametrize(
    ("means", "prices", "chosen"),
    [
        ([6.0], [100], 0),
        ([6.0, 5.5], [400, 100], 1),
        ([6.0, 5.25], [400, 100], 0),
        ([6.0, 5.5], [100, 100], 0),
        ([5.5, 6.0], [100, 100], 1),
        ([6.0, 5.75, 5.5], [400, 200, 100], 2),
        ([6.0, 5.75, 5.5, 5.5], [400, 100, 200, 100], 1),
        ([6.0, 5.5, 5.0], [400, 200, 100], 1),  # Never half a pp below the one that is chosen, and so on.
        ([-6.0, -6.25], [400, 100], 1),
        ([6.0, 5.5], [], 0),
    ],
)
def test_the_choice(means: list[float], prices: list[int], chosen: int) -> None:
    assert cheapest_of_the_best(means, prices, within=0.5) == chosen


@given(believed, st.sampled_from([0.0, 0.5, 2.0]))
def test_nothing_that_is_as_good_costs_less_and_little_is_lost(
    pairs: list[tuple[int, int]], within: float
) -> None:
    means, prices = [eighths / 8 for eighths, _ in pairs], [price for _, price in pairs]
    chosen = cheapest_of_the_best(means, prices, within=within)
    assert means[chosen] >= max(means) - within
    rivals = [place for place, mean in enumerate(means) if mean >= max(means) - within]
    assert prices[chosen] == min(prices[place] for place in rivals)
    assert all(means[place] <= means[chosen] for place in rivals if prices[place] == prices[chosen])


@given(believed, st.sampled_from([0.0, 0.5]))
def test_prices_in_another_unit_and_values_from_another_zero_choose_the_same(
    pairs: list[tuple[int, int]], within: float
) -> None:
    means, prices = [eighths / 8 for eighths, _ in pairs], [price for _, price in pairs]
    moved = cheapest_of_the_best(
        [mean + 50 for mean in means], [7 * price for price in prices], within=within
    )
    assert moved == cheapest_of_the_best(means, prices, within=within)
