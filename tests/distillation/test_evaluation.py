from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.special import softmax

from autokd.core.setting import Split
from autokd.distillation import assess
from autokd.distillation.evaluation import compacted
from tests.distillation.conftest import MakeRun


@st.composite
def splits(draw):
    """Labels of a split, correctness now and before, and a label distribution that it can speak about."""
    size, classes = draw(st.integers(1, 40)), draw(st.integers(1, 6))
    labels = draw(hnp.arrays(np.int64, size, elements=st.integers(0, classes - 1)))
    now, before = (draw(hnp.arrays(np.bool_, size)) for _ in range(2))
    counts = draw(hnp.arrays(np.int64, classes, elements=st.integers(0, 9)))
    counts[labels[0]] += 1
    return labels, now, before, counts / counts.sum()


@given(splits())
def test_local_accuracy_and_forgetting_are_what_the_words_say(split):
    labels, now, before, shares = split
    seen = assess(now, labels=labels, label_distribution=shares, correct_before=before)

    def local(correct):
        there = [c for c in range(len(shares)) if c in labels]
        weighted = sum(shares[c] * correct[labels == c].mean() for c in there)
        return weighted / sum(shares[c] for c in there)

    assert seen.accuracy == pytest.approx(now.mean())
    assert seen.local_accuracy == pytest.approx(local(now))
    assert seen.forgetting == pytest.approx(100 * (local(before) - local(now)))
    for c in range(len(shares)):
        if c in labels:
            assert seen.per_class[c] == pytest.approx(now[labels == c].mean())
        else:
            assert np.isnan(seen.per_class[c])


@given(splits())
def test_forgetting_turns_its_sign_when_before_and_after_are_swapped(split):
    labels, now, before, shares = split
    there = assess(now, labels=labels, label_distribution=shares, correct_before=before)
    back = assess(before, labels=labels, label_distribution=shares, correct_before=now)
    assert there.forgetting == pytest.approx(-back.forgetting)


def test_forgetting_is_not_clipped():
    labels, nothing, everything = np.arange(4), np.zeros(4, dtype=bool), np.ones(4, dtype=bool)
    shares = np.full(4, 0.25)
    lost = assess(nothing, labels=labels, label_distribution=shares, correct_before=everything)
    won = assess(everything, labels=labels, label_distribution=shares, correct_before=nothing)
    assert (lost.forgetting, won.forgetting) == (100, -100)


def test_local_accuracy_looks_at_the_students_own_classes_only():
    labels = np.array([0, 0, 1, 2])
    correct = np.array([True, True, False, False])
    seen = assess(correct, labels=labels, label_distribution=np.array([1.0, 0, 0]), correct_before=~correct)
    assert seen.accuracy == 0.5
    assert seen.local_accuracy == 1
    assert seen.forgetting == -100


@pytest.mark.parametrize(
    ("answers_now", "labels", "problem"),
    [
        (np.ones(2, dtype=bool), np.array([0, 0, 0]), "one and the same"),
        (np.ones(0, dtype=bool), np.array([], dtype=np.int64), "non-empty"),
        (np.ones(2, dtype=bool), np.array([1, 1]), "no example of any class"),
    ],
)
def test_refuses_what_it_cannot_judge(answers_now, labels, problem):
    with pytest.raises(ValueError, match=problem):
        assess(
            answers_now,
            labels=labels,
            label_distribution=np.array([1.0, 0.0]),
            correct_before=np.ones(len(labels), dtype=bool),
        )


@given(hnp.arrays(np.float32, (4, 3), elements=st.floats(-1e5, 1e5, width=32)))
def test_compact_logits_keep_answers_and_probabilities(logits: np.ndarray) -> None:
    compact = compacted(logits)
    below = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    assert compact.dtype == np.float16
    assert np.isfinite(compact).all()
    assert (compact.max(axis=1) == 0).all()
    # Half a unit in the last of 11 bits, or of the smallest numbers; what is out of reach has probability 0.
    np.testing.assert_allclose(compact, np.maximum(below, -65504), rtol=2**-11, atol=2**-24)
    np.testing.assert_allclose(softmax(compact.astype(float), axis=1), softmax(below, axis=1), atol=4e-3)
    shifted = compacted(logits * 0 + np.float32(5))
    assert (shifted == 0).all()


def test_an_evaluation_holds_logits_only_if_asked(make_run: MakeRun) -> None:
    ((usual,), (asked,)) = (list(make_run(keep_logits=keep)) for keep in (False, True))
    assert usual.evaluations[Split.VALIDATION].logits is None
    logits = asked.evaluations[Split.VALIDATION].logits
    assert logits is not None
    assert logits.shape == (40, 4)
    assert asked.evaluations[Split.VALIDATION].accuracy == usual.evaluations[Split.VALIDATION].accuracy
