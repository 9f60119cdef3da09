"""Tune's own files are scratch: a batch fails by them only where runs are left, and says why."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

import pytest

from autokd.compute.resources import Resources
from autokd.errors import StoreError, WorkersLost
from autokd.execution import driver
from autokd.execution.tune_adapters import DriverState
from tests.execution.formula import FormulaTrainable


class TruncatedState(ValueError):
    """What Tune raises when its state on disk was cut short."""


def fit() -> None:
    raise TruncatedState("Expecting value: line 1 column 1 (char 0)")


@pytest.fixture
def free() -> Iterator[SimpleNamespace]:
    """The free space of the disk, and a Tune that fails by its files."""
    space = SimpleNamespace(free=0)
    with (
        patch.object(driver, "Tuner", lambda *arguments, **options: SimpleNamespace(fit=fit)),
        patch.object(driver, "disk_usage", lambda folder: space),
    ):
        yield space


def experiment(home: Path, *, finished: bool = False, error: Exception | None = None) -> DriverState:
    state = DriverState(SimpleNamespace(finished=finished))
    if error is not None:
        state.lose(error)
    driver._experiment(state, FormulaTrainable, home, Resources())
    return state


def test_what_is_done_is_done(free: SimpleNamespace, home: Path) -> None:
    assert experiment(home, finished=True).error is None
    assert not list(home.iterdir())


def test_what_went_wrong_first_is_told(free: SimpleNamespace, home: Path) -> None:
    first = StoreError("the disk is full")
    assert experiment(home, error=first).error is first


def test_a_full_disk_is_one_line(free: SimpleNamespace, home: Path) -> None:
    with pytest.raises(WorkersLost, match=r"no room is left on that disk.* the same command goes on") as lost:
        experiment(home)
    assert str(home) in str(lost.value)
    assert not list(home.iterdir())


def test_a_defect_is_a_defect(free: SimpleNamespace, home: Path) -> None:
    free.free = 2**30
    with pytest.raises(TruncatedState):
        experiment(home)
