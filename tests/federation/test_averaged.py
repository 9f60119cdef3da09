"""Averaging models without training, against a transcription example by example."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from autokd.core.setting import Split
from autokd.federation.federation import Federation


def by_hand(federation: Federation, participants: list[int], split: Split) -> list[bool]:
    right = []
    for example in federation.splits[split]:
        total = [0.0] * len(federation.data.classes)
        for participant in participants:
            exponentials = [math.exp(float(logit)) for logit in federation.logits[participant, example]]
            for label, value in enumerate(exponentials):
                total[label] += value / sum(exponentials)
        right.append(total.index(max(total)) == federation.data.labels[example])
    return right


@pytest.mark.parametrize("participants", [[0, 1], [2, 1], [0, 1, 2]])
@pytest.mark.parametrize("split", Split)
def test_averages_probabilities(federation: Federation, participants: list[int], split: Split) -> None:
    assert federation.averaged(participants, split).tolist() == by_hand(federation, participants, split)


def test_of_one_model_it_is_the_model(federation: Federation) -> None:
    np.testing.assert_array_equal(federation.averaged([1], Split.TEST), federation.correct(1, Split.TEST))


def test_a_model_that_is_surer_of_itself_counts_more(federation: Federation) -> None:
    """Probabilities are averaged, not votes and not logits: scaling one model's logits up lets it decide."""
    logits = federation.logits.copy()
    logits[0] *= 1000
    logits[1] /= 1000
    sure = replace(federation, logits=logits)
    np.testing.assert_array_equal(sure.averaged([0, 1], Split.TEST), federation.correct(0, Split.TEST))
