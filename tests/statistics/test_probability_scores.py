"""Log-likelihood, Brier score and calibration error against closed forms and a plain transcription."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autokd.statistics.probability_scores import BINS, ProbabilityScores, probability_scores


def by_hand(logits: list[list[float]], labels: list[int], weights: list[float]) -> tuple[float, float, float]:
    """The definitions, one example after another."""
    nll = brier = 0.0
    bins: dict[int, float] = {}
    for row, label, weight in zip(logits, labels, weights, strict=True):
        total = sum(math.exp(value - max(row)) for value in row)
        chances = [math.exp(value - max(row)) / total for value in row]
        nll -= weight * math.log(chances[label])
        brier += weight * sum((chance - (c == label)) ** 2 for c, chance in enumerate(chances))
        best = max(chances)
        (place,) = [b for b in range(BINS) if b / BINS < best <= (b + 1) / BINS] or [BINS - 1]
        bins[place] = bins.get(place, 0.0) + weight * ((chances.index(best) == label) - best)
    count = len(labels)
    return nll / count, brier / count, sum(map(abs, bins.values())) / count


@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(2, 6), st.booleans())
def test_they_are_their_definitions(seed: int, count: int, classes: int, weighted: bool) -> None:
    random = np.random.default_rng(seed)
    logits = 4 * random.normal(size=(count, classes))
    labels = random.integers(0, classes, count)
    weights = random.gamma(1.0, size=count) if weighted else np.ones(count)
    weights /= weights.mean()
    scores = probability_scores(logits, labels, weights if weighted else None)
    expected = by_hand(logits.tolist(), labels.tolist(), weights.tolist())
    assert (scores.nll, scores.brier, scores.ece) == pytest.approx(expected, rel=1e-9, abs=1e-12)
    # What is stored of a run lacks a constant of each example, and has 11 significant bits.
    below = (logits - logits.max(axis=1, keepdims=True)).astype(np.float16)
    stored = probability_scores(below, labels, weights if weighted else None)
    assert (stored.nll, stored.brier) == pytest.approx(expected[:2], abs=0.02)


@pytest.mark.parametrize("classes", [2, 10])
def test_who_knows_nothing(classes: int) -> None:
    """Equal probabilities: log K, 1 - 1/K; and all are in one bin, where one of K is right."""
    labels = np.arange(20 * classes) % classes
    scores = probability_scores(np.zeros((labels.size, classes)), labels)
    assert scores.nll == pytest.approx(math.log(classes))
    assert scores.brier == pytest.approx(1 - 1 / classes)
    assert scores.ece == pytest.approx(0.0, abs=1e-12)


def test_who_is_sure() -> None:
    sure = np.array([[40.0, 0.0]] * 4)
    assert probability_scores(sure, np.zeros(4, np.int64)).to_json() == pytest.approx(
        {"nll": 0.0, "brier": 0.0, "ece": 0.0}, abs=1e-12
    )
    wrong = probability_scores(sure, np.array([0, 0, 0, 1]))
    assert wrong.to_json() == pytest.approx({"nll": 10.0, "brier": 0.5, "ece": 0.25})


def test_sure_by_three_quarters_and_right_as_often_is_calibrated() -> None:
    logits = np.log([[0.75, 0.25]] * 8)
    calibrated = probability_scores(logits, np.array([0] * 6 + [1] * 2))
    assert calibrated.ece == pytest.approx(0.0, abs=1e-12)
    # With twice the weight on class 1 (4/3 each, 8/9 on the rest) it is right on two thirds.
    weights = np.array([8 / 9] * 6 + [4 / 3] * 2)
    assert probability_scores(logits, np.array([0] * 6 + [1] * 2), weights).ece == pytest.approx(0.75 - 2 / 3)


def test_means() -> None:
    scores = [ProbabilityScores(1.0, 0.5, 0.1), ProbabilityScores(3.0, 0.7, 0.3)]
    assert ProbabilityScores.mean(scores).to_json() == pytest.approx({"nll": 2.0, "brier": 0.6, "ece": 0.2})
