"""A request to stop: from any process to the driver that holds the lease, and to no later one."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count

import pytest

from autokd.store import Lease, Store
from tests.store.drivers import driver, expire

LONG = 1000.0
"""Seconds; the request is looked up more often than such a lease is renewed."""

_numbers = count()


@pytest.fixture
def enter(address: str) -> Iterator[Callable[[], Store]]:
    """Opens stores on one database: each is a process of its own."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(Store.open(address))


@pytest.fixture
def pairs() -> tuple[str, str]:
    """Two names that nobody has used."""
    number = next(_numbers)
    return f"digits-1a2b3c4d/stop-{number}/4->9", f"digits-1a2b3c4d/stop-{number}/9->4"


def ask(store: Store, *studies: str) -> None:
    """Ask whoever holds these studies."""
    store.leases.ask_to_stop([driver.token for driver in store.leases.drivers(studies)])


def asked(lease: Lease, *, seconds: float = 10) -> str:
    """Who has asked the holder of a lease, as soon as it knows."""
    until = time.monotonic() + seconds
    while not lease.asked_to_stop and time.monotonic() < until:
        time.sleep(0.02)
    return lease.asked_to_stop


def test_the_holder_knows_within_seconds_and_no_other_driver(
    enter: Callable[[], Store], pairs: tuple[str, str]
) -> None:
    first, second, outside = enter(), enter(), enter()
    mine, other = (
        first.leases.acquire(pairs[:1], seconds=LONG),
        second.leases.acquire(pairs[1:], seconds=LONG),
    )
    assert first.leases.asked_to_stop == ""
    ask(outside, pairs[0])
    began = time.monotonic()
    assert f"process {os.getpid()}" in asked(mine)
    assert time.monotonic() - began < 5
    assert first.leases.asked_to_stop == mine.asked_to_stop
    # It looks as often, and has found nothing.
    assert asked(other, seconds=2) == second.leases.asked_to_stop == ""
    facts = {holder.studies: holder.asked_to_stop for holder in outside.leases.drivers(pairs)}
    assert facts == {pairs[:1]: mine.asked_to_stop, pairs[1:]: ""}


def test_a_request_ends_with_its_driver(enter: Callable[[], Store], pairs: tuple[str, str]) -> None:
    first, second, outside = enter(), enter(), enter()
    with first.leases.acquire(pairs, seconds=LONG):
        (holder,) = outside.leases.drivers(pairs)
        outside.leases.ask_to_stop([holder.token])
    assert outside.leases.drivers(pairs) == ()
    lease = second.leases.acquire(pairs, seconds=LONG)
    # Neither the old request nor one that comes too late reaches the next driver.
    outside.leases.ask_to_stop([holder.token])
    assert asked(lease, seconds=2) == ""
    assert [driver.asked_to_stop for driver in outside.leases.drivers(pairs)] == [""]


def test_nor_does_it_reach_who_takes_over(
    enter: Callable[[], Store], pairs: tuple[str, str], address: str
) -> None:
    silent, outside = enter(), enter()
    silent.leases.acquire(pairs, seconds=LONG)
    ask(outside, *pairs)
    expire(address)
    assert asked(enter().leases.acquire(pairs, seconds=LONG), seconds=2) == ""


def test_giving_a_lease_back_is_the_last_look(enter: Callable[[], Store], pairs: tuple[str, str]) -> None:
    lease = enter().leases.acquire(pairs, seconds=LONG)
    ask(enter(), *pairs)
    lease.release()
    assert f"process {os.getpid()}" in lease.asked_to_stop


def test_who_asked_first_is_named(
    enter: Callable[[], Store], pairs: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lease, outside = enter().leases.acquire(pairs, seconds=LONG), enter()
    ask(outside, *pairs)
    monkeypatch.setattr("getpass.getuser", lambda: "somebody else")
    ask(outside, *pairs)
    assert "somebody else" not in asked(lease)


def test_a_short_lease_is_renewed_as_often_as_before(
    enter: Callable[[], Store], pairs: tuple[str, str]
) -> None:
    with enter().leases.acquire(pairs, seconds=1.0) as lease:
        until = time.monotonic() + 2.5
        while time.monotonic() < until:
            assert [holder.alive for holder in enter().leases.drivers(pairs)] == [True]
            time.sleep(0.2)
        assert not lease.lost


def test_all_drivers_come_with_their_studies(
    enter: Callable[[], Store], pairs: tuple[str, str], address: str
) -> None:
    with driver(address, pairs[1], seconds=LONG) as other, enter().leases.acquire(pairs[:1], seconds=LONG):
        drivers = {each.studies: each for each in enter().leases.drivers()}
        assert {pairs[:1], pairs[1:]} <= set(drivers)
        assert f"process {other.process.pid}" in drivers[pairs[1:]].owner
        assert len({each.token for each in drivers.values()}) == len(drivers)
