from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from autokd.core.records import FederationFacts
from autokd.core.setting import DEFAULT, Method, Pair, Setting, Split, TransferSet
from autokd.recommendation import Traffic
from autokd.recommendation.network import traffic
from tests.recommendation.samples import HOT, PUBLIC, TUNING, make_federation

PAIR = Pair(1, 0)
"""Participant 1 has ten private examples; two classes, so eight bytes of logits an example."""


def federation() -> FederationFacts:
    known = make_federation([{split: np.zeros(4, dtype=bool) for split in Split}] * 2)
    models = tuple(replace(one, weight_bytes=1000 + one.number) for one in known.participants)
    return replace(known, participants=models, example_bytes=72, public=97)


@pytest.mark.parametrize(
    ("setting", "moved"),
    [
        (DEFAULT, Traffic(weights=1001)),
        (HOT, Traffic(weights=1001, raw_examples=720)),
        (Setting(1.0, 0.5, TransferSet.TEACHER), Traffic(logits=80, raw_examples=720)),
        (PUBLIC, Traffic(logits=97 * 8)),
        (TUNING, Traffic(raw_examples=720)),
        (Setting(1.0, 0.0, TransferSet.TEACHER), Traffic(raw_examples=720)),
        (Setting(1.0, 0.0, TransferSet.STUDENT), Traffic()),
        (replace(PUBLIC, method=Method.SEEN_CLASSES), Traffic(logits=97 * 8, class_counts=16)),
        (replace(HOT, method=Method.SEEN_CLASSES), Traffic(weights=1001, class_counts=16, raw_examples=720)),
        (Setting(1.0, 0.0, TransferSet.STUDENT, method=Method.SEEN_CLASSES), Traffic()),
    ],
    ids=str,
)
def test_what_moves(setting: Setting, moved: Traffic) -> None:
    found = traffic(setting, PAIR, federation())
    assert found == moved
    assert found is not None
    assert found.to_json()["total"] == moved.weights + moved.logits + moved.class_counts + moved.raw_examples


def test_in_words() -> None:
    assert str(Traffic()) == "nothing"
    told = str(Traffic(weights=94_512, raw_examples=3_600_000))
    assert told == "94.5 kB of weights and 3.6 MB of raw private examples"
    assert str(Traffic(logits=999)) == "999 B of logits"


def test_sizes_that_a_store_does_not_keep_are_not_guessed() -> None:
    known = make_federation([{split: np.zeros(4, dtype=bool) for split in Split}] * 2)
    assert traffic(DEFAULT, PAIR, known) is None
