"""Weights of examples: what they leave as it was, and what a weighted mean is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autokd.core.example_weights import EVEN, ExampleWeights
from autokd.core.setting import Split
from autokd.statistics.label_weights import target_weights

SEEDS = st.integers(0, 2**32 - 1)
SPLIT = Split.TEST


@given(SEEDS, st.integers(1, 400), st.integers(0, 4))
def test_weights_of_1_are_no_weights_to_the_last_bit(seed: int, examples: int, seeds: int) -> None:
    rng = np.random.default_rng(seed)
    correct = rng.random((seeds, examples) if seeds else examples) < 0.6
    ones = ExampleWeights({SPLIT: np.ones(examples)})
    assert ones.accuracy(correct, SPLIT) == EVEN.accuracy(correct, SPLIT) == correct.mean()
    assert np.array_equal(ones.weighted(correct, SPLIT), EVEN.weighted(correct, SPLIT))
    assert ones.effective(SPLIT, examples) == EVEN.effective(SPLIT, examples) == examples


@given(SEEDS)
def test_a_weighted_accuracy_is_the_accuracies_by_class_times_their_shares(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.concatenate([np.arange(4), rng.integers(0, 4, 80)]))
    shares = rng.dirichlet(np.ones(4))
    weights = ExampleWeights({SPLIT: target_weights(labels, shares.tolist(), "abcd")})
    correct = rng.random((3, labels.size)) < 0.5
    by_class = np.array([correct[:, labels == number].mean() for number in range(4)])
    assert weights.accuracy(correct, SPLIT) == pytest.approx(shares @ by_class, abs=1e-12)
    # Another split has no weights.
    assert weights.accuracy(correct, Split.VALIDATION) == correct.mean()


@given(SEEDS, st.sampled_from([1e-3, 0.5, 7.0, 1e4]))
def test_only_ratios_of_shares_count(seed: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(3), rng.integers(0, 3, 30)])
    shares = rng.dirichlet(np.ones(3))
    first, second = (target_weights(labels, (times * shares).tolist(), "abc") for times in (1.0, scale))
    assert first == pytest.approx(second, rel=1e-12)
    assert first.mean() == pytest.approx(1, abs=1e-12)


def test_a_weighted_accuracy_is_what_examples_of_the_target_have_on_average() -> None:
    """Splits of the target's class shares, drawn from the examples at hand; 4 standard errors."""
    rng = np.random.default_rng(5)
    labels, shares = np.repeat([0, 1, 2], [120, 60, 20]), np.array([0.1, 0.3, 0.6])
    correct = rng.random(200) < np.array([0.9, 0.5, 0.2])[labels]
    weights = ExampleWeights({SPLIT: target_weights(labels, shares.tolist(), "abc")})
    accuracies = []
    for _ in range(4000):
        drawn = rng.choice(3, size=50, p=shares)
        accuracies.append(np.mean([rng.choice(correct[labels == number]) for number in drawn]))
    error = np.std(accuracies) / np.sqrt(len(accuracies))
    assert weights.accuracy(correct, SPLIT) == pytest.approx(np.mean(accuracies), abs=4 * error)


@given(st.lists(st.floats(0.01, 10), min_size=1, max_size=60))
def test_effective_examples_are_at_most_all_of_them(raw: list[float]) -> None:
    weights = ExampleWeights({SPLIT: np.array(raw)})
    effective = weights.effective(SPLIT, len(raw))
    assert effective == pytest.approx(sum(raw) ** 2 / sum(weight**2 for weight in raw))
    assert 1 - 1e-9 <= effective <= len(raw) + 1e-9


def test_an_example_with_all_the_weight_is_one() -> None:
    assert ExampleWeights({SPLIT: np.array([4.0, 0, 0, 0])}).effective(SPLIT, 4) == 1
    # Half of the examples with all the weight, evenly.
    assert ExampleWeights({SPLIT: np.array([2.0, 2, 0, 0])}).effective(SPLIT, 4) == 2


def test_the_accuracy_of_a_model_that_is_always_right_is_not_above_1() -> None:
    weights = ExampleWeights({SPLIT: target_weights(np.array([0, 0, 0, 1, 2]), [0.7, 0.2, 0.1], "abc")})
    assert weights.accuracy(np.ones(5, dtype=bool), SPLIT) <= 1


def test_weights_are_compared_by_value() -> None:
    first, second = (ExampleWeights({SPLIT: np.array([0.5, 1.5])}) for _ in range(2))
    assert first.same_as(second)
    assert EVEN.same_as(ExampleWeights())
    assert not first.same_as(EVEN)
    assert not EVEN.same_as(first)
    assert not first.same_as(ExampleWeights({SPLIT: np.array([1.5, 0.5])}))
    assert not first.same_as(ExampleWeights({Split.VALIDATION: np.array([0.5, 1.5])}))
