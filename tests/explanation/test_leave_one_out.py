"""Which teacher adds how much."""

from __future__ import annotations

from dataclasses import replace

import pytest

from autokd.core.pair import Group, Pair
from autokd.core.setting import Method, Setting, TransferSet
from autokd.explanation.leave_one_out import without_each

GROUP = Group((0, 2, 3), 1)
THREE = Setting(2.0, 0.5, TransferSet.STUDENT, method=Method.SUREST, teachers=(0, 1, 2, 3))


def test_each_teacher_is_left_out_once_and_the_own_model_stays() -> None:
    settings = without_each(GROUP, THREE)
    assert {number: setting.teachers for number, setting in settings.items()} == {
        0: (1, 2, 3),
        2: (0, 1, 3),
        3: (0, 1, 2),
    }
    assert {replace(setting, teachers=THREE.teachers) for setting in settings.values()} == {THREE}


def test_without_the_own_model_it_is_not_asked() -> None:
    settings = without_each(GROUP, replace(THREE, teachers=(0, 3)))
    assert {number: setting.teachers for number, setting in settings.items()} == {0: (3,), 3: (0,)}


def test_all_candidates_teach_where_nothing_else_is_said() -> None:
    default = Setting(1.0, 0.5, TransferSet.STUDENT)
    assert {setting.teachers for setting in without_each(GROUP, default).values()} == {(0, 2), (0, 3), (2, 3)}


@pytest.mark.parametrize(
    "setting",
    [replace(THREE, teachers=(1, 2)), Setting(1.0, 0.0, TransferSet.STUDENT)],
)
def test_of_one_or_nobody_there_is_none_to_leave_out(setting: Setting) -> None:
    assert without_each(GROUP, setting) == {}
    assert without_each(Pair(0, 1), replace(setting, teachers=None)) == {}
