from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from autokd.distillation import assess


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
