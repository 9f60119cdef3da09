from __future__ import annotations

import math
from collections import Counter
from dataclasses import asdict, replace

import numpy as np
import pytest

from autokd.core.setting import Pair, Split
from autokd.federation.federation import Federation
from autokd.search.pair_features import PairFeatures, pair_features
from tests.distillation.conftest import CLASSES, PAIR, make_federation


@pytest.fixture(scope="module")
def federation() -> Federation:
    return make_federation()


@pytest.fixture
def stubborn(federation: Federation) -> Federation:
    """The teacher says `a` to everything, with probability 1/2; the student says `b`, with 1/(1 + 3/e)."""
    logits = np.zeros_like(federation.logits)
    logits[PAIR.teacher, :, 0] = math.log(3)
    logits[PAIR.student, :, 1] = 1
    return replace(federation, logits=logits)


def labels(federation: Federation, where: np.ndarray) -> Counter[int]:
    return Counter(federation.data.labels[where].tolist())


def with_private(federation: Federation, teacher: list[int], student: list[int]) -> Federation:
    """Participants that hold so many examples of each class."""
    of_class = [np.flatnonzero(federation.data.labels == label) for label in range(CLASSES)]
    privates = [
        np.concatenate([of_class[label][:count] for label, count in enumerate(counts)])
        for counts in (teacher, student)
    ]
    participants = tuple(
        replace(participant, private=private)
        for participant, private in zip(federation.participants, privates, strict=True)
    )
    return replace(federation, participants=participants)


def test_models_that_say_one_thing_are_right_as_often_as_it_is_true(stubborn: Federation) -> None:
    features = pair_features(stubborn, PAIR)
    validation = labels(stubborn, stubborn.splits[Split.VALIDATION])
    learnt = labels(stubborn, stubborn.participants[PAIR.student].private)
    assert features.teacher_accuracy == pytest.approx(validation[0] / 40)
    assert features.student_accuracy == pytest.approx(validation[1] / 40)
    assert features.teacher_accuracy != features.student_accuracy
    # All of the student's examples of `a`, and nothing else, would be answered rightly.
    assert features.teacher_at_home == pytest.approx(learnt[0] / 30)
    assert features.agreement == 0
    assert features.teacher_confidence == pytest.approx(1 / 2)
    assert features.student_confidence == pytest.approx(math.e / (math.e + 3))


def test_models_agree_as_often_as_they_say_the_same_on_public(stubborn: Federation) -> None:
    logits = stubborn.logits.copy()
    logits[PAIR.student, stubborn.public[:5], 0] = 2
    assert pair_features(replace(stubborn, logits=logits), PAIR).agreement == 5 / 20


def test_sizes_are_logarithms(federation: Federation) -> None:
    features = pair_features(federation, PAIR)
    assert (features.teacher_examples, features.student_examples) == (math.log(33), math.log(30))


def test_classes_count_by_how_evenly_they_are_held(federation: Federation) -> None:
    features = pair_features(with_private(federation, [6, 6, 0, 0], [0, 3, 3, 6]), PAIR)
    assert features.overlap == pytest.approx(1 / 4)
    assert features.teacher_classes == pytest.approx(2 / 4)
    assert features.student_classes == pytest.approx(2**1.5 / 4)


def test_the_same_data_overlap_wholly_and_other_classes_not_at_all(federation: Federation) -> None:
    alike = pair_features(with_private(federation, [2, 4, 6, 8], [1, 2, 3, 4]), PAIR)
    apart = pair_features(with_private(federation, [9, 0, 0, 0], [0, 5, 0, 1]), PAIR)
    assert alike.overlap == pytest.approx(1)
    assert apart.overlap == 0
    assert apart.teacher_classes == pytest.approx(1 / 4)


def test_at_home_counts_classes_as_the_student_has_them(stubborn: Federation) -> None:
    features = pair_features(with_private(stubborn, [5, 5, 5, 5], [3, 0, 0, 1]), PAIR)
    assert features.teacher_at_home == pytest.approx(3 / 4)


def test_at_home_leaves_out_classes_that_validation_has_no_example_of(stubborn: Federation) -> None:
    validation = stubborn.splits[Split.VALIDATION]
    blind = validation[stubborn.data.labels[validation] != 3]
    federation = replace(stubborn, splits={**stubborn.splits, Split.VALIDATION: blind})
    known = pair_features(with_private(federation, [5, 5, 5, 5], [1, 1, 0, 2]), PAIR)
    assert known.teacher_at_home == pytest.approx(1 / 2)
    foreign = pair_features(with_private(federation, [5, 5, 5, 5], [0, 0, 0, 4]), PAIR)
    assert foreign.teacher_at_home == foreign.teacher_accuracy > 0


@pytest.mark.parametrize("pair", [PAIR, PAIR.reverse], ids=str)
def test_shares_are_shares(federation: Federation, pair: Pair) -> None:
    features = asdict(pair_features(federation, pair))
    assert set(features) == set(PairFeatures.__dataclass_fields__)
    for name, value in features.items():
        assert 0 <= value <= (math.log(63) if name.endswith("_examples") else 1 + 1e-12), name


def test_from_the_other_side_roles_are_exchanged_and_what_is_shared_stays(federation: Federation) -> None:
    there, back = pair_features(federation, PAIR), pair_features(federation, PAIR.reverse)
    assert (there.overlap, there.agreement) == (back.overlap, back.agreement)
    for name in ("accuracy", "classes", "examples", "confidence"):
        assert getattr(there, f"teacher_{name}") == getattr(back, f"student_{name}")
        assert getattr(there, f"student_{name}") == getattr(back, f"teacher_{name}")
    assert there != back


def test_nothing_looks_at_confirmation_or_test_or_at_public_labels(federation: Federation) -> None:
    held_out = np.concatenate([federation.splits[Split.CONFIRMATION], federation.splits[Split.TEST]])
    logits, truth = federation.logits.copy(), federation.data.labels.copy()
    logits[:, held_out] = np.random.default_rng(0).normal(size=(2, held_out.size, CLASSES))
    for where in (held_out, federation.public):
        truth[where] = (truth[where] + 1) % CLASSES
    blinded = replace(federation, logits=logits, data=replace(federation.data, labels=truth))
    for pair in (PAIR, PAIR.reverse):
        assert pair_features(blinded, pair) == pair_features(federation, pair)


@pytest.mark.parametrize("part", ["validation", "public"])
def test_what_the_models_say_on_validation_and_public_does_count(federation: Federation, part: str) -> None:
    where = federation.public if part == "public" else federation.splits[Split(part)]
    logits = federation.logits.copy()
    logits[PAIR.teacher, where] = np.roll(logits[PAIR.teacher, where], 1, axis=1) * 2
    assert pair_features(replace(federation, logits=logits), PAIR) != pair_features(federation, PAIR)


def test_without_public_examples_nothing_is_known_of_what_the_models_say_there(
    federation: Federation,
) -> None:
    features = pair_features(replace(federation, public=federation.public[:0]), PAIR)
    assert (features.agreement, features.teacher_confidence, features.student_confidence) == (0, 0, 0)
