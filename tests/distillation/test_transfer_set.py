from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from autokd.core.setting import SEARCHABLE, Split, TransferSet
from autokd.distillation import examples
from autokd.errors import PlanError
from tests.distillation.conftest import PAIR


def test_each_transfer_set_is_in_the_runs_own_roles(federation):
    teachers, students = (federation.participants[who].private for who in (PAIR.teacher, PAIR.student))
    assert set(examples(federation, PAIR, TransferSet.STUDENT)) == set(students)
    assert set(examples(federation, PAIR, TransferSet.TEACHER)) == set(teachers)
    assert set(examples(federation, PAIR, TransferSet.BOTH)) == set(students) | set(teachers)
    assert set(examples(federation, PAIR, TransferSet.PUBLIC)) == set(federation.public)
    mixed = examples(federation, PAIR, TransferSet.STUDENT_PUBLIC)
    assert mixed.tolist() == [*students, *federation.public], "the student's own first"


def test_roles_swap_in_the_reverse_pair(federation):
    np.testing.assert_array_equal(
        examples(federation, PAIR, TransferSet.TEACHER),
        examples(federation, PAIR.reverse, TransferSet.STUDENT),
    )


@pytest.mark.parametrize("transfer_set", SEARCHABLE)
def test_holds_no_example_twice_and_none_that_is_held_out(federation, transfer_set):
    chosen = examples(federation, PAIR, transfer_set)
    assert len(set(chosen)) == len(chosen)
    for held_out in federation.splits.values():
        assert not set(chosen) & set(held_out)


def test_of_what_is_held_out_only_validation_can_be_trained_on(federation):
    chosen = examples(federation, PAIR, TransferSet.VALIDATION)
    np.testing.assert_array_equal(chosen, federation.splits[Split.VALIDATION])


@pytest.mark.parametrize("left", [0, 1])
def test_too_few_examples_are_refused_with_a_way_out(federation, left):
    bare = replace(federation, public=federation.public[:left])
    with pytest.raises(PlanError, match=f"transfer_set: public holds {left} examples for 0->1; take it out"):
        examples(bare, PAIR, TransferSet.PUBLIC)
    with pytest.raises(PlanError, match=f"student_public holds {left} public examples for 0->1; take it out"):
        examples(bare, PAIR, TransferSet.STUDENT_PUBLIC)
