from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autokd.core.setting import DEFAULT, Pair, Setting, Split, TransferSet
from autokd.recommendation.attribution import Step, Taken, attribute, between, corners, interval, shapley
from autokd.recommendation.statistics import paired_spread
from tests.recommendation.samples import HOT, PUBLIC, TUNING

TUNED, SET, POSITION = Step.TUNING, Step.TRANSFER_SET, Step.POSITION
PAIR = Pair(4, 9)


def subsets(steps: frozenset[Step]) -> list[frozenset[Step]]:
    return [frozenset(one) for size in range(len(steps) + 1) for one in combinations(sorted(steps), size)]


def test_of_two_steps_each_is_worth_the_mean_of_coming_first_and_second() -> None:
    values = {
        frozenset(): np.array([[10.0]]),
        frozenset({TUNED}): np.array([[12.0]]),
        frozenset({SET}): np.array([[18.0]]),
        frozenset({TUNED, SET}): np.array([[24.0]]),
    }
    found = shapley(frozenset({TUNED, SET}), values)
    # T and α: first 12 - 10 = 2, second 24 - 18 = 6. Transfer set: first 8, second 12.
    assert found[TUNED].item() == pytest.approx(4)
    assert found[SET].item() == pytest.approx(10)


def test_of_three_steps_over_all_six_orders() -> None:
    worth = {"": 0, "t": 3, "s": 4, "p": 6, "ts": 9, "tp": 9, "sp": 20, "tsp": 24}
    names = {"t": TUNED, "s": SET, "p": POSITION}
    values = {frozenset(names[one] for one in key): np.array([[float(it)]]) for key, it in worth.items()}
    found = shapley(frozenset(Step), values)
    # T and α come first twice (3), after s (9-4), after p (9-6), and last twice (24-20).
    assert found[TUNED].item() == pytest.approx((2 * 3 + 5 + 3 + 2 * 4) / 6)
    assert found[SET].item() == pytest.approx((2 * 4 + (9 - 3) + (20 - 6) + 2 * (24 - 9)) / 6)
    assert found[POSITION].item() == pytest.approx((2 * 6 + (9 - 3) + (20 - 4) + 2 * (24 - 9)) / 6)


@given(st.integers(0, 2**32 - 1), st.sampled_from([frozenset({TUNED, SET}), frozenset(Step)]))
def test_parts_add_up_and_what_does_nothing_is_worth_nothing(seed: int, steps: frozenset[Step]) -> None:
    rng = np.random.default_rng(seed)
    values = {taken: rng.integers(0, 2, (3, 7)).astype(float) for taken in subsets(steps)}
    parts = shapley(steps, values)
    np.testing.assert_allclose(sum(parts.values()), values[steps] - values[frozenset()], atol=1e-12)
    without = {taken: values[taken - {TUNED}] for taken in values}
    np.testing.assert_allclose(shapley(steps, without)[TUNED], 0, atol=1e-12)


def test_steps_between_the_default_and_a_setting() -> None:
    assert between(HOT) == {
        frozenset(): DEFAULT,
        frozenset({TUNED}): Setting(4.0, 0.1, TransferSet.STUDENT),
        frozenset({SET}): Setting(1.0, 0.5, TransferSet.BOTH),
        frozenset({TUNED, SET}): HOT,
    }


def test_where_there_are_no_labels_the_weight_is_the_defaults() -> None:
    found = between(PUBLIC)
    assert found[frozenset({TUNED})] == Setting(2.0, 0.5, TransferSet.STUDENT)
    assert found[frozenset({SET})] == Setting(1.0, None, TransferSet.PUBLIC)


def test_the_position_is_the_reversed_pair_with_its_own_setting() -> None:
    found = corners(PAIR, HOT, TUNING)
    assert found[frozenset({POSITION})] == (Pair(9, 4), DEFAULT)
    assert found[frozenset(Step)] == (Pair(9, 4), TUNING)
    assert found[frozenset({TUNED, SET})] == (PAIR, HOT)
    assert len(found) == 8
    assert len(corners(PAIR, HOT, None)) == 4


def test_a_single_difference_has_students_interval_of_the_crossed_model() -> None:
    rng = np.random.default_rng(1)
    first, second = (rng.random((5, 90)) < share for share in (0.8, 0.6))
    spread = paired_spread(first, second)
    found = interval(first.astype(float) - second, confidence=0.95)
    mean = 100 * (first.mean() - second.mean())
    reach = spread.half_width(0.95)
    assert (found.mean, found.low, found.high) == pytest.approx((mean, mean - reach, mean + reach))


def test_each_split_is_told_by_itself() -> None:
    rng = np.random.default_rng(2)
    rights = {
        split: {
            taken: (rng.random((4, 50)) < 0.5).astype(float) for taken in subsets(frozenset({TUNED, SET}))
        }
        for split in (Split.CONFIRMATION, Split.TEST)
    }

    def correct(taken: Taken, split: Split) -> np.ndarray:
        return rights[split][taken]

    found = attribute(correct, frozenset({TUNED, SET}), confidence=0.95)
    assert list(found.parts) == [TUNED, SET]
    for split, its in rights.items():
        total = 100 * (its[frozenset({TUNED, SET})].mean() - its[frozenset()].mean())
        assert found.total[split].mean == pytest.approx(total)
        assert sum(part[split].mean for part in found.parts.values()) == pytest.approx(total)
        assert set(found.to_json()) == {"confirmation", "test"}
