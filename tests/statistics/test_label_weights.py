from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autokd.distillation.evaluation import assess
from autokd.statistics.label_weights import local_weights, target_weights
from autokd.statistics.paired import paired_interval


@given(st.integers(0, 2**32 - 1))
def test_a_weighted_difference_is_what_a_run_calls_forgetting(seed: int) -> None:
    """Against the evaluation of a run, which goes class by class."""
    rng = np.random.default_rng(seed)
    labels, histogram = rng.integers(0, 4, 60), rng.integers(0, 9, 4)
    histogram[labels[0]] += 1
    own, students = rng.random(60) < 0.6, rng.random((3, 60)) < 0.7
    weights = local_weights(labels, tuple(int(count) for count in histogram))
    assert weights.mean() == pytest.approx(1)
    seen = [
        assess(student, labels=labels, label_distribution=histogram / histogram.sum(), correct_before=own)
        for student in students
    ]
    lost = paired_interval(own, students, confidence=0.95, resamples=200, seed=0, weights=weights)
    assert lost.mean == pytest.approx(np.mean([run.forgetting for run in seen]))
    both = 1 + weights
    mixed = paired_interval(students, own, confidence=0.95, resamples=200, seed=0, weights=both)
    gains = [100 * (run.accuracy - own.mean()) - run.forgetting for run in seen]
    assert mixed.mean == pytest.approx(np.mean(gains))


def test_a_split_without_the_participants_classes_is_refused() -> None:
    with pytest.raises(ValueError, match="no example of any class"):
        local_weights(np.array([0, 0]), (0, 3))


@given(st.integers(0, 2**32 - 1), st.integers(2, 6))
def test_a_split_that_has_the_targets_shares_has_the_weight_1(seed: int, classes: int) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.repeat(np.arange(classes), rng.integers(1, 9, classes)))
    names = [str(number) for number in range(classes)]
    shares = np.bincount(labels) / len(labels)
    assert target_weights(labels, shares.tolist(), names) == pytest.approx(np.ones(len(labels)))
    # Equal shares: the mean of the accuracies by class.
    weights = target_weights(labels, [1 / classes] * classes, names)
    right = rng.random(len(labels)) < 0.5
    by_class = [right[labels == number].mean() for number in range(classes)]
    assert np.average(right, weights=weights) == pytest.approx(np.mean(by_class))


def test_a_class_with_a_share_and_no_example_is_named() -> None:
    with pytest.raises(ValueError, match="no example of class b, d, which has a share"):
        target_weights(np.array([0, 0, 2]), [0.4, 0.2, 0.3, 0.1], ["a", "b", "c", "d"])
    assert target_weights(np.array([0, 0, 2]), [0.5, 0, 0.5, 0], ["a", "b", "c", "d"]) == pytest.approx(
        [0.75, 0.75, 1.5]
    )
