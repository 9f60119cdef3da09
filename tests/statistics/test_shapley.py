from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autokd.statistics.shapley import shapley, subsets

TUNED, SET, POSITION = "tuning", "transfer set", "position"
STEPS = frozenset({TUNED, SET, POSITION})


def test_of_two_steps_each_is_worth_the_mean_of_coming_first_and_second() -> None:
    values = {
        frozenset(): np.array([[10.0]]),
        frozenset({TUNED}): np.array([[12.0]]),
        frozenset({SET}): np.array([[18.0]]),
        frozenset({TUNED, SET}): np.array([[24.0]]),
    }
    parts = shapley(frozenset({TUNED, SET}), values)
    # T and α: first 12 - 10 = 2, second 24 - 18 = 6. Transfer set: first 8, second 12.
    assert parts[TUNED].item() == pytest.approx(4)
    assert parts[SET].item() == pytest.approx(10)


def test_of_three_steps_over_all_six_orders() -> None:
    worth = {"": 0, "t": 3, "s": 4, "p": 6, "ts": 9, "tp": 9, "sp": 20, "tsp": 24}
    names = {"t": TUNED, "s": SET, "p": POSITION}
    values = {frozenset(names[step] for step in key): np.array([[float(it)]]) for key, it in worth.items()}
    parts = shapley(STEPS, values)
    # T and α come first twice (3), after s (9-4), after p (9-6), and last twice (24-20).
    assert parts[TUNED].item() == pytest.approx((2 * 3 + 5 + 3 + 2 * 4) / 6)
    assert parts[SET].item() == pytest.approx((2 * 4 + (9 - 3) + (20 - 6) + 2 * (24 - 9)) / 6)
    assert parts[POSITION].item() == pytest.approx((2 * 6 + (9 - 3) + (20 - 4) + 2 * (24 - 9)) / 6)


@given(st.integers(0, 2**32 - 1), st.sampled_from([frozenset({TUNED, SET}), STEPS]))
def test_parts_add_up_and_what_does_nothing_is_worth_nothing(seed: int, steps: frozenset[str]) -> None:
    rng = np.random.default_rng(seed)
    values = {taken: rng.integers(0, 2, (3, 7)).astype(float) for taken in subsets(steps)}
    parts = shapley(steps, values)
    np.testing.assert_allclose(sum(parts.values()), values[steps] - values[frozenset()], atol=1e-12)
    without = {taken: values[taken - {TUNED}] for taken in values}
    np.testing.assert_allclose(shapley(steps, without)[TUNED], 0, atol=1e-12)
