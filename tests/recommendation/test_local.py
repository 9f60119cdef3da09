from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autokd.core.setting import Split
from autokd.distillation.evaluation import assess
from autokd.plan import Aims, Constraints
from autokd.recommendation.local import local_weights, local_weights_of, objective_weights
from autokd.recommendation.statistics import paired_interval
from tests.recommendation.samples import make_federation


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


def test_an_objective_weighs_the_examples() -> None:
    federation = make_federation([{split: np.zeros(4, dtype=bool) for split in Split}] * 2)
    local = local_weights_of(federation, 1)
    split = Split.CONFIRMATION
    assert objective_weights(Aims(), {}, split) is None
    assert objective_weights(Aims(objective="gain_local"), local, split) is local[split]
    added = objective_weights(Aims(objective="gain_minus_forgetting"), local, split)
    assert added is not None
    np.testing.assert_allclose(added, 1 + local[split])


@given(st.floats(-50, 50), st.floats(-50, 50))
def test_what_a_run_is_worth(gain: float, forgetting: float) -> None:
    assert Aims().value(gain, forgetting) == gain
    assert Aims(objective="gain_local").value(gain, forgetting) == -forgetting
    assert Aims(objective="gain_minus_forgetting").value(gain, forgetting) == gain - forgetting


def test_the_lower_limit_counts() -> None:
    aims = Aims(constraints=Constraints(max_forgetting=2.0, max_local_loss=1.0))
    assert aims.constraints.limit == 1.0
    assert aims.keeps(1.0)
    assert not aims.keeps(1.1)
    assert Aims().keeps(100.0)
