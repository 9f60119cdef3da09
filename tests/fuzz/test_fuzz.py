"""A few inputs of every kind, others in each run; `python -m tests.fuzz` has thousands."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import strategies as st

from autokd.errors import InputError
from tests.fuzz.harness import Target, fuzz
from tests.fuzz.targets import TARGETS

EXAMPLES = 25


@pytest.mark.parametrize("name", TARGETS)
def test_odd_input_is_explained_in_a_line(name: str) -> None:
    assert fuzz(TARGETS[name], EXAMPLES).inputs >= 1


def _crash(number: int) -> None:
    if number > 100:
        raise KeyError(number)


def _ramble(number: int) -> None:
    raise InputError("words " * 2_000)


@pytest.mark.parametrize(("read", "error"), [(_crash, KeyError), (_ramble, AssertionError)])
def test_a_crash_is_found(read: Callable[[int], object], error: type[Exception]) -> None:
    with pytest.raises(error):
        fuzz(Target("numbers", st.integers(0, 1000), read), 100)
