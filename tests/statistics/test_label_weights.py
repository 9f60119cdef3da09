from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autokd.distillation.evaluation import assess
from autokd.statistics.label_weights import local_weights
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
    assert lost.mean == pytest.approx(np.mean([one.forgetting for one in seen]))
    both = 1 + weights
    mixed = paired_interval(students, own, confidence=0.95, resamples=200, seed=0, weights=both)
    gains = [100 * (one.accuracy - own.mean()) - one.forgetting for one in seen]
    assert mixed.mean == pytest.approx(np.mean(gains))


def test_a_split_without_the_participants_classes_is_refused() -> None:
    with pytest.raises(ValueError, match="no example of any class"):
        local_weights(np.array([0, 0]), (0, 3))
