"""Models with their label priors divided out, against transcriptions and laws."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autokd.core.setting import Split
from autokd.federation.federation import Federation


def by_hand(federation: Federation, participants: Sequence[int], split: Split) -> list[bool]:
    """Probabilities divided by n(c) + 1, made to add up to 1 again, and averaged; example by example."""
    right = []
    for example in federation.splits[split]:
        total = [0.0] * len(federation.data.classes)
        for participant in participants:
            labels = [int(federation.data.labels[at]) for at in federation.participants[participant].private]
            largest = max(map(float, federation.logits[participant, example]))
            divided = [
                math.exp(float(logit) - largest) / (labels.count(label) + 1)
                for label, logit in enumerate(federation.logits[participant, example])
            ]
            for label, value in enumerate(divided):
                total[label] += value / sum(divided)
        right.append(total.index(max(total)) == federation.data.labels[example])
    return right


@pytest.mark.parametrize("participant", [0, 1, 2])
@pytest.mark.parametrize("split", Split)
def test_a_corrected_model_has_its_label_prior_divided_out(
    federation: Federation, participant: int, split: Split
) -> None:
    assert federation.corrected(participant, split).tolist() == by_hand(federation, [participant], split)


@pytest.mark.parametrize("participants", [[0, 1], [0, 1, 2]])
def test_averages_corrected_probabilities(federation: Federation, participants: list[int]) -> None:
    logits = federation.averaged(participants, Split.TEST, without_priors=True)
    assert logits.tolist() == by_hand(federation, participants, Split.TEST)


def test_the_average_of_one_corrected_model_is_that_model(federation: Federation) -> None:
    logits = federation.averaged([1], Split.TEST, without_priors=True)
    np.testing.assert_array_equal(logits, federation.corrected(1, Split.TEST))


@given(labels=st.lists(st.integers(0, 9), min_size=2, max_size=30), seed=st.integers(0, 2**32 - 1))
def test_adding_the_prior_again_gives_the_model_back(
    federation: Federation, labels: list[int], seed: int
) -> None:
    changed = _changed(federation, labels, seed)
    again = changed.without_prior(0, Split.TEST) + np.log(changed.label_counts(0) + 1)
    np.testing.assert_allclose(again, changed.logits[0][changed.splits[Split.TEST]], atol=1e-12)


@given(times=st.integers(1, 4), seed=st.integers(0, 2**32 - 1))
def test_with_equal_counts_the_corrected_model_is_the_own_model(
    federation: Federation, times: int, seed: int
) -> None:
    changed = _changed(federation, [*range(10)] * times, seed)
    for split in Split:
        np.testing.assert_array_equal(changed.corrected(0, split), changed.correct(0, split))


def test_facts_have_the_corrected_models(federation: Federation) -> None:
    for participant in federation.facts().participants:
        for split in Split:
            expected = federation.corrected(participant.number, split)
            np.testing.assert_array_equal(participant.corrected[split], expected)


def _changed(federation: Federation, labels: list[int], seed: int) -> Federation:
    """Participant 0 with private examples of these labels, and logits by chance."""
    of_label = [np.flatnonzero(federation.data.labels == label) for label in range(10)]
    private = np.array([of_label[label][place] for place, label in enumerate(labels)])
    participants = (replace(federation.participants[0], private=private), *federation.participants[1:])
    logits = np.random.default_rng(seed).normal(0, 2, federation.logits.shape).astype(np.float32)
    return replace(federation, participants=participants, logits=logits)
