"""A student and several candidates to teach it: who teaches, on what, and whose outputs are asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from autokd.compute.device import Compute
from autokd.core.setting import OF_SEVERAL, Group, Method, Pair, Setting, Split, TransferSet
from autokd.distillation import Run, examples, trainer
from autokd.distillation.transfer_set import teaching
from autokd.federation.federation import Federation
from autokd.models.weights import weights_of
from tests.distillation.conftest import RECIPE, make_federation

GROUP = Group((0, 2), 1)
TAUGHT = Setting(2.0, 0.5, TransferSet.STUDENT, method=Method.SUREST, teachers=(0, 2))


@pytest.fixture(scope="module")
def federation() -> Federation:
    """Three participants: the third has the first one's model and half of the public examples."""
    two = make_federation()
    third = replace(two.participants[0], number=2, private=two.public[:10])
    return replace(
        two,
        participants=(*two.participants, third),
        logits=np.concatenate([two.logits, two.logits[:1]]),
        public=two.public[10:],
    )


def trained(federation: Federation, pair: Pair | Group, setting: Setting) -> Sequence[np.ndarray]:
    run = Run(
        federation,
        pair,
        setting,
        seed=0,
        recipe=RECIPE,
        rungs=(RECIPE.epochs,),
        splits=(Split.VALIDATION,),
        compute=Compute(),
    )
    list(run)
    return list(weights_of(run.student).values())


def same(arrays: Sequence[np.ndarray], other: Sequence[np.ndarray]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(arrays, other, strict=True))


def test_a_group_of_one_is_the_pair() -> None:
    assert Group.of([4], 9) == Pair(4, 9)
    assert Group.of([7, 0, 7, 3], 9) == Group((0, 3, 7), 9)
    assert str(Group.of([7, 0, 3], 9)) == "{0,3,7}->9"
    for teachers, student in (((0, 0), 1), ((2, 0), 1), ((0, 1), 1), ((-1, 0), 1)):
        with pytest.raises(ValueError, match=r"candidates|itself|numbered"):
            Group(teachers, student)


def test_the_setting_says_who_teaches() -> None:
    assert teaching(GROUP, TAUGHT) == (0, 2)
    assert teaching(GROUP, replace(TAUGHT, teachers=(1, 2))) == (2,)
    assert teaching(Pair(0, 1), replace(TAUGHT, teachers=None)) == (0,)
    assert teaching(GROUP, replace(TAUGHT, teachers=None)) == (0, 2)
    with pytest.raises(ValueError, match="no candidate"):
        teaching(GROUP, replace(TAUGHT, teachers=(0, 3)))


def test_only_those_who_teach_give_examples(federation: Federation) -> None:
    private = [participant.private for participant in federation.participants]
    for teachers in ((0,), (2,), (0, 2)):
        theirs = np.sort(np.concatenate([private[number] for number in teachers]))
        rows = examples(federation, GROUP, TransferSet.TEACHER, teachers=teachers)
        assert np.sort(rows).tolist() == theirs.tolist()
        both = examples(federation, GROUP, TransferSet.BOTH, teachers=teachers)
        assert both.tolist() == np.union1d(private[1], theirs).tolist()


@pytest.mark.parametrize("on", [TransferSet.STUDENT, TransferSet.PUBLIC, TransferSet.STUDENT_PUBLIC])
@pytest.mark.parametrize("method", OF_SEVERAL)
def test_one_of_the_group_teaches_as_in_the_pair(
    federation: Federation, method: Method, on: TransferSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the last bit, if the seeds were the pair's: the own model is asked where the pair asks it."""
    monkeypatch.setattr(Group, "__str__", lambda group: "0->1")
    alpha = None if on is TransferSet.PUBLIC else 0.5
    setting = Setting(2.0, alpha, on, method=method)
    asked = (0,) if method is Method.PLAIN else (0, 1)
    alone = trained(federation, GROUP, replace(setting, teachers=asked))
    assert same(alone, trained(federation, Pair(0, 1), setting))


@pytest.mark.parametrize("method", [Method.SUREST, Method.SEEN_CLASSES])
def test_a_copy_of_a_teacher_changes_nothing(federation: Federation, method: Method) -> None:
    single = replace(TAUGHT, method=method, teachers=(0,))
    alone = trained(federation, GROUP, single)
    both = trained(federation, GROUP, replace(single, teachers=(0, 2)))
    for left, right in zip(alone, both, strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-3, atol=1e-4)


def test_targets_do_not_depend_on_how_many_are_made_at_once(
    federation: Federation, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = trained(federation, GROUP, TAUGHT)
    monkeypatch.setattr(trainer, "_AT_ONCE", 7)
    assert same(trained(federation, GROUP, TAUGHT), whole)


def test_the_default_of_a_group_is_taught_by_the_mean_of_all(federation: Federation) -> None:
    """All candidates here are one model, so their mean is that model."""
    copies = replace(federation, logits=federation.logits[[0, 1, 0]])
    default = Setting(1.0, 0.5, TransferSet.STUDENT)
    alone = trained(copies, GROUP, replace(default, teachers=(0,)))
    for left, right in zip(alone, trained(copies, GROUP, default), strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-4, atol=1e-5)


def test_without_weight_nobody_teaches(federation: Federation) -> None:
    setting = Setting(1.0, 0.0, TransferSet.STUDENT)
    student = trained(federation, GROUP, setting)
    assert same(student, trained(federation, GROUP, replace(setting, teachers=(2,))))
    assert all(np.isfinite(values).all() for values in student)
