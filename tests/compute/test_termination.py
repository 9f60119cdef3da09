"""SIGTERM ends what was begun in good order, whatever a library makes of it."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator

import pytest

from autokd.compute.termination import handler_kept, like_an_interrupt


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGTERM, before)


def terminate() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def as_ray_does() -> None:
    """Set a handler that ends the program."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(number))


def end_while_ray_starts() -> None:
    with handler_kept():
        as_ray_does()
        terminate()


def test_it_is_an_interrupt_inside_and_only_there() -> None:
    with pytest.raises(KeyboardInterrupt), like_an_interrupt():
        terminate()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_handler_of_the_program_is_called_and_what_is_ignored_stays_ignored() -> None:
    called = []
    signal.signal(signal.SIGTERM, lambda number, frame: called.append(number))
    with like_an_interrupt():
        terminate()
    assert called == [signal.SIGTERM]
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with like_an_interrupt():
        terminate()


def test_a_handler_that_a_library_sets_goes_again() -> None:
    with like_an_interrupt():
        with handler_kept():
            as_ray_does()
        with pytest.raises(KeyboardInterrupt):
            terminate()


def test_while_a_library_has_its_own_the_end_is_an_interrupt_too() -> None:
    with pytest.raises(KeyboardInterrupt), like_an_interrupt():
        end_while_ray_starts()
