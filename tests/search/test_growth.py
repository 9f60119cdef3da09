"""Which candidates may teach together: greedy growth, and when it ends."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autokd.core.setting import DEFAULT, Method, Setting, TransferSet
from autokd.search.growth import Growth, grow, ranks_of

EXAMPLES = 400
Array = np.ndarray


class Knowing:
    """Targets that are right on the examples that any of their teachers knows."""

    def __init__(self, known: dict[int, Array]) -> None:
        self.known = known
        self.asked: list[tuple[int, ...]] = []

    def __call__(self, teachers: tuple[int, ...]) -> Array:
        self.asked.append(teachers)
        right: Array = np.any([self.known[number] for number in teachers], axis=0).astype(float)
        return right


def knowing(*spans: tuple[int, int]) -> Knowing:
    examples = np.arange(EXAMPLES)
    return Knowing({number: (examples >= a) & (examples < b) for number, (a, b) in enumerate(spans)})


def test_it_starts_with_the_best_and_adds_what_is_missing() -> None:
    # 2 knows most; 0 knows the rest of what 1 knows, and more of what 2 does not.
    growth = grow(range(3), knowing((150, 400), (100, 200), (0, 260)), student=9, most=3)
    assert growth.chain == (2, 0, 1)
    assert growth.reach == 2


def test_most_bounds_the_chain_and_the_number_of_targets() -> None:
    targets = knowing(*((40 * number, 40 * number + 80) for number in range(9)))
    growth = grow(range(9), targets, student=9, most=3)
    assert growth.reach == 3
    assert sorted(growth.chain) == list(range(9))
    assert len(targets.asked) == 9 + 8 + 7


def test_equal_teachers_stay_one() -> None:
    growth = grow(range(9), knowing(*[(0, 200)] * 9), student=9, most=9)
    assert (growth.chain[0], growth.reach) == (0, 1)


def test_steps_that_are_too_small_alone_count_together() -> None:
    """Each adds 4 examples of 400, two standard errors: chance among eight, and twice as many are not."""
    targets = knowing((0, 200), *((200 + 4 * number, 204 + 4 * number) for number in range(8)))
    alone = grow(range(9), targets, student=9, most=2)
    together = grow(range(9), targets, student=9, most=3)
    assert (alone.reach, together.reach) == (1, 3)


@given(order=st.permutations(range(6)), seed=st.integers(0, 1000))
def test_the_order_of_the_candidates_does_not_matter(order: list[int], seed: int) -> None:
    random = np.random.default_rng(seed)
    targets = Knowing({number: random.random(EXAMPLES) < 0.4 for number in range(6)})
    assert grow(order, targets, student=9, most=6) == grow(range(6), targets, student=9, most=6)


class Noise:
    """Targets that are right by chance."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)

    def __call__(self, teachers: tuple[int, ...]) -> Array:
        return self.random.random(EXAMPLES) < 0.6


def test_noise_ends_with_one_or_two_teachers() -> None:
    """Nobody is better than anybody else, alone or together, and each target is right by its own chance.

    A step errs with probability 0.05 by a bound that is not tight, and each error adds to the reach; of 200
    chains of nine candidates hardly any passes two.
    """
    reaches = [grow(range(9), Noise(seed), student=9, most=9).reach for seed in range(200)]
    assert np.mean(np.array(reaches) <= 2) >= 0.9


def test_weights_say_which_examples_count() -> None:
    targets = knowing((0, 200), (200, 300), (300, 400))
    weights = [1.0] * 300 + [0.0] * 100
    growth = grow(range(3), targets, student=9, most=3, weights=weights)
    assert (growth.chain, growth.reach) == ((0, 1, 2), 2)


def test_one_candidate_is_a_chain() -> None:
    assert grow([4], knowing(*[(0, 1)] * 5), student=9, most=16) == Growth(9, (4,), 1)


GROWTH = Growth(3, (7, 0, 5), 2)
TAUGHT = Setting(2.0, 0.5, TransferSet.STUDENT, method=Method.SUREST, teachers=(0, 3, 7))


def test_the_dimension_is_each_part_with_the_own_model_and_without() -> None:
    assert GROWTH.teachers == ("7", "3 7", "0 7", "0 3 7")
    assert ranks_of(2) == ("1", "0 1", "1 2", "0 1 2")


def test_settings_are_told_by_rank_and_back() -> None:
    ranked = GROWTH.ranked(TAUGHT)
    assert ranked.teachers == (0, 1, 2)
    assert GROWTH.numbered(ranked) == TAUGHT
    assert GROWTH.ranked(DEFAULT) == GROWTH.numbered(DEFAULT) == DEFAULT
    assert GROWTH.permits(ranked)
    assert not GROWTH.permits(replace(ranked, teachers=(1, 2, 3)))


def test_a_reach_beyond_the_chain_is_refused() -> None:
    with pytest.raises(ValueError, match="reach=4"):
        Growth(3, (7, 0, 5), 4)
