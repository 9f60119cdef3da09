from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from autokd.statistics.false_discovery import discoveries


@given(
    st.lists(st.floats(0, 1) | st.floats(0, 0.01), min_size=1, max_size=90),
    st.sampled_from([0.01, 0.05, 0.2]),
)
def test_the_step_up_rule(p_values: list[float], rate: float) -> None:
    """The largest k for which the k-th smallest of m p-values is at most rate·k/m."""

    def largest(rate: float) -> int:
        ordered = enumerate(sorted(p_values), start=1)
        return max((k for k, value in ordered if value <= rate * k / len(p_values)), default=0)

    # The code divides where the rule multiplies: the last bit may fall to either side.
    assert largest(rate * (1 - 1e-9)) <= discoveries(p_values, rate=rate).count <= largest(rate * (1 + 1e-9))


def test_a_pair_without_a_winner_counts_as_a_pair() -> None:
    discovered = discoveries([0.01, None, 0.04, None])
    assert (discovered.count, discovered.pairs) == (1, 4)
    assert discoveries([0.01, 0.04]).count == 2
    assert str(discovered) == "1 of 4 beat the default at 5% false discoveries"
    assert discovered.to_json() == {"count": 1, "pairs": 4, "false_discovery_rate": 0.05}


def test_nothing_of_nothing() -> None:
    assert discoveries([]).count == discoveries([None]).count == 0


def test_few_of_what_is_called_a_discovery_is_none() -> None:
    """90 pairs, a third of them truly better: on average at most 5% of those found are not."""
    rng = np.random.default_rng(0)
    shares = []
    for _ in range(300):
        truly = np.arange(90) < 30
        p_values = stats.norm.sf(rng.normal(np.where(truly, 3.0, 0.0)))
        discovered = discoveries(list(p_values))
        called = (
            p_values <= np.sort(p_values)[discovered.count - 1]
            if discovered.count
            else np.zeros(90, dtype=bool)
        )
        shares.append((called & ~truly).sum() / max(discovered.count, 1))
    assert np.mean(shares) == pytest.approx(0.05 * 60 / 90, abs=0.015)
