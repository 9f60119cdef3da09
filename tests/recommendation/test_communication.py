from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from autokd.core.records import FederationFacts
from autokd.core.setting import DEFAULT, Group, LabelPrior, Method, Pair, Setting, Split, TransferSet
from autokd.recommendation import Cost
from autokd.recommendation.communication import communication_cost
from tests.recommendation.samples import HOT, PUBLIC, TUNING, make_federation

PAIR = Pair(1, 0)
"""Participant 1 has ten private examples; two classes, so eight bytes of logits an example."""


def federation() -> FederationFacts:
    known = make_federation([{split: np.zeros(4, dtype=bool) for split in Split}] * 2)
    models = tuple(
        replace(participant, weight_bytes=1000 + participant.number) for participant in known.participants
    )
    return replace(known, participants=models, example_bytes=72, public=97)


@pytest.mark.parametrize(
    ("setting", "moved"),
    [
        (DEFAULT, Cost(weights=1001)),
        (HOT, Cost(weights=1001, raw_examples=720)),
        (Setting(1.0, 0.5, TransferSet.TEACHER), Cost(logits=80, raw_examples=720)),
        (PUBLIC, Cost(logits=97 * 8)),
        (TUNING, Cost(raw_examples=720)),
        (Setting(1.0, 0.0, TransferSet.TEACHER), Cost(raw_examples=720)),
        (Setting(1.0, 0.0, TransferSet.STUDENT), Cost()),
        (replace(PUBLIC, method=Method.SEEN_CLASSES), Cost(logits=97 * 8, class_counts=16)),
        (replace(HOT, method=Method.SEEN_CLASSES), Cost(weights=1001, class_counts=16, raw_examples=720)),
        (Setting(1.0, 0.0, TransferSet.STUDENT, method=Method.SEEN_CLASSES), Cost()),
        (replace(PUBLIC, method=Method.BALANCED), Cost(logits=97 * 8, class_counts=16)),
        (replace(DEFAULT, method=Method.BALANCED), Cost(weights=1001, class_counts=16)),
        (replace(PUBLIC, method=Method.BALANCED_ESTIMATED), Cost(logits=97 * 8)),
        (replace(HOT, method=Method.BALANCED_ESTIMATED), Cost(weights=1001, raw_examples=720)),
        (
            # Of the teacher's outputs on public examples, their mean alone.
            Setting(1.0, 0.5, TransferSet.TEACHER, method=Method.BALANCED_ESTIMATED),
            Cost(logits=80 + 8, raw_examples=720),
        ),
        (replace(DEFAULT, label_prior=LabelPrior.ADJUSTED), Cost(weights=1001)),
        # With the weights the student computes the outputs on all examples.
        (Setting(1.0, 0.5, TransferSet.STUDENT_PUBLIC), Cost(weights=1001)),
        (Setting(1.0, 0.0, TransferSet.STUDENT_PUBLIC), Cost()),
    ],
    ids=str,
)
def test_what_moves(setting: Setting, moved: Cost) -> None:
    cost = communication_cost(setting, PAIR, federation())
    assert cost == moved
    assert cost is not None
    assert cost.to_json()["total"] == moved.weights + moved.logits + moved.class_counts + moved.raw_examples


def test_in_words() -> None:
    assert str(Cost()) == "nothing"
    text = str(Cost(weights=94_512, raw_examples=3_600_000))
    assert text == "94.5 kB of weights and 3.6 MB of raw private examples"
    assert str(Cost(logits=999)) == "999 B of logits"


def test_sizes_that_a_store_does_not_keep_are_not_guessed() -> None:
    known = make_federation([{split: np.zeros(4, dtype=bool) for split in Split}] * 2)
    assert communication_cost(DEFAULT, PAIR, known) is None


def test_each_of_several_teachers_sends_its_part() -> None:
    two = federation()
    three = replace(two, participants=(*two.participants, replace(two.participants[1], number=2)))
    group = Group((1, 2), 0)
    both = replace(DEFAULT, method=Method.SUREST, teachers=(1, 2))
    alone = communication_cost(DEFAULT, PAIR, two)
    assert alone is not None
    assert communication_cost(both, group, three) == Cost(weights=2 * alone.weights)
    assert communication_cost(replace(both, teachers=(0, 2)), group, three) == alone
    assert communication_cost(DEFAULT, group, three) == Cost(weights=2 * alone.weights)
    nobody = Setting(1.0, 0.0, TransferSet.STUDENT)
    assert communication_cost(nobody, group, three) == Cost()
    unknown = replace(
        three, participants=(*two.participants, replace(three.participants[2], weight_bytes=None))
    )
    assert communication_cost(both, group, unknown) is None
