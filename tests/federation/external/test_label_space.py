"""One list of classes for all sources; what a number or a missing class means is told or asked for."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from autokd.config.external import ExternalFederation
from autokd.data.sources.labelled_images import LabelledImages
from autokd.federation.findings import Findings
from autokd.federation.label_space import LabelSpace, label_space, numbers_in_doubt, with_common_names

ABC = ("ant", "bee", "cat")
DIGITS = tuple("0123456789")


def data(*present: int, names: tuple[str, ...] | None = None) -> LabelledImages:
    labels = np.array(present, dtype=np.int64)
    images = np.zeros((len(labels), 1, 2, 2), dtype=np.uint8)
    numbers = tuple(map(str, range(max(present, default=-1) + 1)))
    return LabelledImages(images, labels, names or numbers, named=names is not None)


def recipe(private: int = 2, classes: tuple[str, ...] | None = None) -> ExternalFederation:
    participants = [SimpleNamespace(labels=None)] * private
    return cast(ExternalFederation, SimpleNamespace(classes=classes, participants=participants, size=private))


def space(
    private: list[LabelledImages], test: LabelledImages, classes: tuple[str, ...] | None = None
) -> tuple[LabelSpace, list[LabelledImages | None], Findings]:
    findings = Findings("mine.yaml")
    common = {"test": ("splits.test", test)}
    named, parts = with_common_names(recipe(len(private), classes), private, common, findings)
    return label_space(recipe(len(private), classes), named, parts, findings), named, findings


def words(findings: list[Any]) -> str:
    return "; ".join(map(str, findings))


@pytest.mark.parametrize(
    ("own", "outputs", "meant"),
    [
        (data(0, 1, 7), 10, DIGITS),
        (data(0, 1, 7), 8, DIGITS[:8]),
        (data(0, 1, 7), 9, DIGITS[:9]),
        (data(0, 9), 10, DIGITS),
        (data(0, 5), None, DIGITS[:6]),
        (data(0, 7), 11, DIGITS[:8]),
        (data(0, 1, names=("0", "1", "5")), 10, DIGITS),
        (data(0, 1, names=("0", "1", "5")), 3, ("0", "1", "5")),
        (data(0, 1, names=("0", "1", "5")), 5, ("0", "1", "5")),
    ],
)
def test_a_client_that_lacks_classes_takes_the_common_ones(
    own: LabelledImages, outputs: int | None, meant: tuple[str, ...]
) -> None:
    """A network with as many outputs as its data have classes, or with another number, is asked about."""
    labels, _, findings = space([own, data(*range(10))], data(*range(10)))
    assert tuple(labels.outputs_of(own, outputs).values()) == meant
    assert sorted(labels.classes) == list(DIGITS)
    assert findings.problems == []


def test_classes_that_no_client_has_may_be_outputs() -> None:
    labels, _, findings = space([data(0, 7), data(0, 5)], data(*range(10)))
    assert (labels.classes, findings.problems) == (DIGITS, [])


def test_lists_in_several_orders_are_no_numbering() -> None:
    own = data(0, 1, names=("bee", "ant"))
    labels, _, _ = space([own, data(0, names=ABC)], data(0, names=ABC))
    assert labels.numbering is None
    assert labels.outputs_of(own, 3) == {0: "bee", 1: "ant"}


def test_numbers_mean_themselves_whatever_the_order_of_the_federation() -> None:
    labels, _, _ = space([data(0, 7), data(*range(10))], data(*range(10)), DIGITS[::-1])
    assert labels.classes == DIGITS[::-1]
    assert tuple(labels.outputs_of(data(0, 7), 10).values()) == DIGITS


def test_names_in_another_order_than_the_federations_are_asked_about() -> None:
    labels, _, _ = space(
        [data(0, 1, names=("ant", "bee"))] * 2, data(0, names=("ant",)), ("cat", "bee", "ant")
    )
    assert labels.outputs_of(data(0, 1, names=("ant", "bee")), 3) == {0: "ant", 1: "bee"}


@pytest.mark.parametrize("listed", [None, ABC])
def test_numbers_take_the_names_of_the_others_with_a_word(listed: tuple[str, ...] | None) -> None:
    labels, named, findings = space([data(0, 2), data(0, 1, names=ABC)], data(0, 1, 2, names=ABC), listed)
    assert (labels.classes, findings.problems) == (ABC, [])
    assert named[0] is not None
    assert named[0].present == ["ant", "cat"]
    (word,) = findings.warnings
    assert "federation.participants.0.data: labels are numbers without names" in str(word)


@pytest.mark.parametrize(
    ("own", "outputs", "said"),
    [
        (data(1, 2, 3), 3, "labels begin at 1, so either save labels - 1"),
        (data(1, 2, 3), 3, 'participants.7.labels: {0: "1", 1: "2", ..., 2: "3"}'),
        (data(0, 1, 2, 255), 3, "of the labels 0 to 255, 4 occur: does 255 mean"),
        (data(0, 2), 1, "of the labels 0 to 2, 2 occur: does 2 mean"),
        (data(0, 2), 5, "of the labels 0 to 2, 2 occur"),
        (data(0, 1), 1, "one number z for two classes is to be two logits"),
        (data(0, 1, 2), 2, ""),
        (data(0, 1, 2), 9, ""),
        (data(0, 2, names=ABC), 5, ""),
    ],
)
def test_numbers_that_are_not_as_many_as_the_outputs_get_a_hint(
    own: LabelledImages, outputs: int, said: str
) -> None:
    hint = numbers_in_doubt(own, outputs, "participants.7")
    assert said in hint
    assert bool(said) == bool(hint)


def test_numbers_that_are_names_stay() -> None:
    _, named, findings = space([data(0, 2), data(0, 1, names=("2", "0"))], data(0, names=("0",)))
    assert named[0] is not None
    assert named[0].present == ["0", "2"]
    assert findings.warnings == []


@pytest.mark.parametrize(
    ("own", "others"), [(data(0, 3), ABC), (data(0, 1), ("cat", "ant", "dog"))], ids=["too many", "orders"]
)
def test_numbers_in_doubt_are_a_problem(own: LabelledImages, others: tuple[str, ...]) -> None:
    _, _, findings = space([own, data(0, names=ABC)], data(0, names=others))
    assert "participants.0.data: labels are numbers up to" in words(findings.problems)
    assert "say classes" in words(findings.problems)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("ant", "bee"), ("Ant", "bee")),
        (("ant", "bee"), ("ant ", "bee")),
        (("polar bear", "bee"), ("polar_bear", "bee")),
        (("0 - zero", "1 - one"), ("0", "1")),
        (("0 - zero", "1 - one"), ("zero", "one")),
        (("007", "8"), ("7", "8")),
    ],
)
def test_near_names_get_a_hint(first: tuple[str, ...], second: tuple[str, ...]) -> None:
    _, _, findings = space([data(0, 1, names=first), data(0, 1, names=second)], data(0, 1, names=first))
    assert "federation.participants.1.data: the class" in words(findings.warnings)
    assert "counted as two" in words(findings.warnings)


def test_a_split_of_another_class_is_a_problem_that_names_what_it_is_like() -> None:
    _, _, findings = space([data(0, 1, names=("ant", "bee"))] * 2, data(0, names=("Ant",)))
    assert "test has the class Ant, which no participant's data has" in words(findings.problems)
    assert "is it ant?" in words(findings.problems)
