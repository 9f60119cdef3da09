from __future__ import annotations

import os
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from itertools import count
from pathlib import Path
from threading import Barrier

import pytest
from sqlalchemy import create_engine, text, update

from autokd.core.records import TrialOrigin, TrialState
from autokd.core.setting import DEFAULT
from autokd.errors import InputError, LeaseLost, PairBusy, StoreError
from autokd.store import Store, normalise, sqlite_url
from autokd.store.leases import Lease, lease_seconds
from autokd.store.process import Process
from autokd.store.tables import LeaseRow
from tests.store.drivers import change, driver, expire
from tests.store.samples import DISTRIBUTIONS, complete_run, facts, failed_run, rung

LONG = 1000.0
"""Seconds; the heart of such a lease beats too rarely to do so in a test."""

_numbers = count()


@pytest.fixture
def enter(address: str) -> Iterator[Callable[[], Store]]:
    """Opens stores on one database: each is a driver of its own."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(Store.open(address))


@pytest.fixture
def pairs() -> tuple[str, str]:
    """Two names that nobody has used."""
    number = next(_numbers)
    return f"digits-1a2b3c4d/lease-{number}/4->9", f"digits-1a2b3c4d/lease-{number}/9->4"


def begin(store: Store, study: str) -> int:
    return store.begin_trial(
        study, DEFAULT, seed=0, role=TrialOrigin.BASELINE, distributions=DISTRIBUTIONS
    ).number


def test_a_second_driver_is_told_who_the_first_is(enter: Callable[[], Store], pairs: tuple[str, str]) -> None:
    began = time.time()
    with enter().leases.acquire(pairs, seconds=LONG), pytest.raises(PairBusy) as caught:
        enter().leases.acquire(pairs[1:])
    error = caught.value
    assert isinstance(error, InputError)
    assert error.exit_code == 2
    assert "9->4" in str(error)
    assert f"process {os.getpid()}" in str(error)
    assert error.study == pairs[1]
    assert abs(error.since - began) < 5
    assert error.until == pytest.approx(error.since + LONG, abs=1)


def test_all_or_nothing(enter: Callable[[], Store], pairs: tuple[str, str]) -> None:
    first, second, third = enter(), enter(), enter()
    with first.leases.acquire(pairs[:1], seconds=LONG):
        with pytest.raises(PairBusy):
            second.leases.acquire(pairs, seconds=LONG)
        with third.leases.acquire(pairs[1:], seconds=LONG) as lease:
            assert lease.studies == pairs[1:]


def test_different_pairs_side_by_side(enter: Callable[[], Store], pairs: tuple[str, str]) -> None:
    stores = enter(), enter()
    with ExitStack() as stack:
        for store, pair in zip(stores, pairs, strict=True):
            stack.enter_context(store.leases.acquire([pair], seconds=LONG))
            store.create_study(pair, attributes={})
        for number in range(3):
            for store, pair in zip(stores, pairs, strict=True):
                assert begin(store, pair) == number


def test_a_lease_that_was_given_back_is_free_and_its_fence_has_grown(
    enter: Callable[[], Store], pairs: tuple[str, str]
) -> None:
    first, second = enter(), enter()
    fences = []
    for store in (first, second, first):
        with store.leases.acquire(pairs, seconds=LONG) as lease:
            fences.append(dict(lease.fences))
        lease.release()
    assert fences == [dict.fromkeys(pairs, number) for number in (1, 2, 3)]
    first.create_study(pairs[0], attributes={})  # Without a lease nothing is checked.


def test_closing_a_store_gives_its_leases_back(
    enter: Callable[[], Store], address: str, pairs: tuple[str, str]
) -> None:
    with Store.open(address) as first:
        first.leases.acquire(pairs, seconds=LONG)
    lease = enter().leases.acquire(pairs, seconds=LONG)
    assert dict(lease.fences) == dict.fromkeys(pairs, 2)


def test_one_that_expired_and_that_nobody_took_goes_on(
    enter: Callable[[], Store], address: str, pairs: tuple[str, str]
) -> None:
    first, second = enter(), enter()
    first.create_study(pairs[0], attributes={})
    with first.leases.acquire(pairs, seconds=LONG) as lease:
        expire(address)
        assert begin(first, pairs[0]) == 0
        lease.renew()
        with pytest.raises(PairBusy):
            second.leases.acquire(pairs)
    assert not lease.lost


WRITES: dict[str, Callable[[Store, str], object]] = {
    "create_study": lambda store, study: store.create_study(f"{study} again", attributes={}),
    "new attributes": lambda store, study: store.create_study(study, attributes={"new": 1}),
    "begin_trial": begin,
    "report": lambda store, study: store.report(study, 0, rung(6)),
    "end_trial": lambda store, study: store.end_trial(study, 0, TrialState.PRUNED),
    "add_run": lambda store, study: store.add_run(study, complete_run(seed=1)),
    "add_run that failed": lambda store, study: store.add_run(study, failed_run(seed=1)),
    "put_bases": lambda store, study: store.put_bases(study, []),
    "put_noise": lambda store, study: store.put_noise(study, {}),
    "put_recommendation": lambda store, study: store.put_recommendation(study, {"verdict": "tuned"}),
    "put_federation": lambda store, study: store.put_federation(facts(study)),
}


def test_one_that_was_taken_over_writes_nothing_more(
    enter: Callable[[], Store], address: str, pairs: tuple[str, str]
) -> None:
    first, second, study = enter(), enter(), pairs[0]
    lease = first.leases.acquire(pairs, seconds=LONG)
    first.create_study(study, attributes={})
    begin(first, study)
    first.report(study, 0, rung(3))
    expire(address)
    with second.leases.acquire([study], seconds=LONG) as taken:
        assert taken.fences == {study: 2}
        before = dump(address)
        for name, write in WRITES.items():
            with pytest.raises(LeaseLost, match="taken over"):
                write(first, study)
            assert dump(address) == before, name
        with pytest.raises(LeaseLost):
            lease.renew()
        assert lease.lost
        lease.release()
        with pytest.raises(LeaseLost):
            begin(first, study)
        assert dump(address) == before
        # Reading is free, and the new owner is not disturbed.
        assert [trial.curve for trial in first.trials(study)] == [((3, 0.5),)]
        for write in WRITES.values():
            write(second, study)
        # What nobody took is not its own any more, either.
        enter().leases.acquire(pairs[1:], seconds=LONG)


def dump(address: str) -> dict[str, list[tuple[object, ...]]]:
    """All that is in a database."""
    engine = create_engine(normalise(address))
    with engine.connect() as connection:
        tables = engine.dialect.get_table_names(connection)
        contents = {
            name: sorted((tuple(row) for row in connection.execute(text(f"SELECT * FROM {name}"))), key=repr)
            for name in tables
        }
    engine.dispose()
    return contents


def test_losing_is_noticed_at_release(
    enter: Callable[[], Store], address: str, pairs: tuple[str, str]
) -> None:
    first, second = enter(), enter()
    lease = first.leases.acquire(pairs, seconds=LONG)
    expire(address)
    with second.leases.acquire(pairs, seconds=LONG):
        lease.release()
        assert lease.lost
        with pytest.raises(LeaseLost):
            first.create_study(pairs[0], attributes={})


def test_the_heart_keeps_it(enter: Callable[[], Store], pairs: tuple[str, str]) -> None:
    first, second = enter(), enter()
    with first.leases.acquire(pairs, seconds=2):
        until = time.monotonic() + 3.5
        while time.monotonic() < until:
            with pytest.raises(PairBusy):
                second.leases.acquire(pairs)
            time.sleep(0.1)


def test_of_all_who_meet_one_gets_it(enter: Callable[[], Store], pairs: tuple[str, str]) -> None:
    stores, together = [enter() for _ in range(4)], Barrier(4)

    def meet(number: int) -> bool:
        wanted = pairs if number % 2 else pairs[::-1]
        together.wait()
        try:
            stores[number].leases.acquire(wanted, seconds=LONG)
        except PairBusy:
            return False
        return True

    with ThreadPoolExecutor(max_workers=4) as pool:
        assert sorted(pool.map(meet, range(4))) == [False, False, False, True]


def test_of_a_driver_on_another_machine_nothing_is_known(
    enter: Callable[[], Store], address: str, pairs: tuple[str, str]
) -> None:
    first, second = enter(), enter()
    with first.leases.acquire(pairs, seconds=LONG):
        elsewhere = Process.current().model_copy(
            update={"machine": "another", "host": "far", "user": "eve", "number": 1}
        )
        change(address, process=elsewhere.model_dump_json())
        with pytest.raises(PairBusy, match="eve@far, process 1,"):
            second.leases.acquire(pairs)


def test_a_driver_that_was_killed_is_followed_at_once(
    enter: Callable[[], Store], address: str, pairs: tuple[str, str]
) -> None:
    store, study = enter(), pairs[0]
    store.create_study(study, attributes={})
    with driver(address, study, seconds=LONG) as first:
        first.tell()
        assert first.hear() == "0"
        with pytest.raises(PairBusy, match=f"process {first.process.pid},"):
            store.leases.acquire(pairs)
        first.process.kill()
        os.waitid(os.P_PID, first.process.pid, os.WEXITED | os.WNOWAIT)  # A zombie is as dead.
        lease = store.leases.acquire(pairs, seconds=LONG)
    assert lease.fences == {pairs[0]: 2, pairs[1]: 1}
    assert begin(store, study) == 1


def test_a_driver_that_was_stopped_past_its_lease_writes_nothing_when_it_goes_on(
    enter: Callable[[], Store], address: str, pairs: tuple[str, str]
) -> None:
    store, study = enter(), pairs[0]
    store.create_study(study, attributes={})
    with driver(address, study, seconds=2) as first:
        first.tell()
        assert first.hear() == "0"
        # Its heart has not beaten yet: stopped while it writes, it would keep the others from SQLite.
        os.kill(first.process.pid, signal.SIGSTOP)
        lease = taken_within(store, study, seconds=10)
        begin(store, study)
        first.tell()
        os.kill(first.process.pid, signal.SIGCONT)
        assert first.hear() == "LeaseLost"
        first.tell()
        assert first.hear() == "LeaseLost"
    assert len(store.trials(study)) == 2
    assert not lease.lost


def taken_within(store: Store, study: str, *, seconds: float) -> Lease:
    """A lease, as soon as its owner's time is up."""
    until = time.monotonic() + seconds
    while True:
        try:
            return store.leases.acquire([study], seconds=LONG)
        except PairBusy:
            assert time.monotonic() < until
            time.sleep(0.1)


def test_a_stuck_writer_does_not_delay_the_refusal(tmp_path: Path) -> None:
    address, study = sqlite_url(tmp_path / "studies.db"), "f/p/4->9"
    with Store.open(address) as first, Store.open(address) as second:
        first.leases.acquire([study], seconds=LONG)
        path = str(normalise(address).database)
        with closing(sqlite3.connect(path, isolation_level=None)) as stuck:
            stuck.execute("BEGIN IMMEDIATE")
            began = time.monotonic()
            with pytest.raises(PairBusy):
                second.leases.acquire([study])
            assert time.monotonic() - began < 5
            stuck.execute("ROLLBACK")


@pytest.mark.parametrize("address", ["postgresql", "mariadb"], indirect=True, scope="session")
def test_a_transaction_that_sits_idle_is_ended_with_its_locks(
    address: str, pairs: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As that of a driver that is stopped in the middle of it."""
    monkeypatch.setenv("AUTOKD_LEASE_SECONDS", "1")
    with Store.open(address) as first, Store.open(address) as second:
        first.leases.acquire(pairs, seconds=LONG)
        expire(address)
        with first._engine.connect() as idle:
            idle.execute(update(LeaseRow).values(fence=LeaseRow.fence + 1000))
            began = time.monotonic()
            lease = second.leases.acquire(pairs)
            assert 0.5 < time.monotonic() - began < 10
            assert set(lease.fences.values()) == {2}
            idle.invalidate()


def test_many_studies_are_one_lease(enter: Callable[[], Store], pairs: tuple[str, str]) -> None:
    names = [f"{pairs[0]} {number}" for number in range(870)]
    with enter().leases.acquire(names, seconds=LONG) as lease:
        assert len(lease.studies) == 870
        with pytest.raises(StoreError, match="869"):
            enter().leases.acquire(names[-1:])


def test_what_a_driver_tells_is_there_for_others_as_long_as_it_is_at_work(
    enter: Callable[[], Store], pairs: tuple[str, str]
) -> None:
    reader, began = enter(), time.time()
    assert reader.leases.drivers(pairs) == ()
    with enter().leases.acquire(pairs[:1], seconds=LONG) as lease:
        (silent,) = reader.leases.drivers(pairs)
        assert (silent.words, silent.age) == ({}, 0.0)
        lease.heartbeat({"left": 7, "seconds_left": None})
        lease.heartbeat({"left": 6, "seconds_left": 1.5})
        (driver,) = reader.leases.drivers(pairs)
        assert driver.words == {"left": 6, "seconds_left": 1.5}
        assert driver.alive
        assert f"process {os.getpid()}" in driver.owner
        assert abs(driver.since - began) < 5
        assert 0 <= driver.age < 5
        assert reader.leases.drivers(pairs[1:]) == ()
    assert reader.leases.drivers(pairs) == ()


def test_drivers_come_in_the_order_in_which_they_began(
    enter: Callable[[], Store], pairs: tuple[str, str]
) -> None:
    with (
        enter().leases.acquire(pairs[1:], seconds=LONG) as first,
        enter().leases.acquire(pairs[:1], seconds=LONG) as second,
    ):
        first.heartbeat({"left": 1})
        second.heartbeat({"left": 2})
        assert [holder.words["left"] for holder in enter().leases.drivers(pairs)] == [1, 2]


def test_a_driver_that_is_gone_or_silent_for_too_long_is_not_alive(
    enter: Callable[[], Store], pairs: tuple[str, str], address: str
) -> None:
    with driver(address, pairs[0], seconds=LONG) as killed:
        assert [holder.alive for holder in enter().leases.drivers(pairs)] == [True]
        killed.process.kill()
        killed.process.wait()
        assert [holder.alive for holder in enter().leases.drivers(pairs)] == [False]
    enter().leases.acquire(pairs[1:], seconds=LONG)
    expire(address)
    assert [holder.alive for holder in enter().leases.drivers(pairs)] == [False, False]


def test_who_was_followed_tells_nothing_more(
    enter: Callable[[], Store], pairs: tuple[str, str], address: str
) -> None:
    lost = enter().leases.acquire(pairs, seconds=LONG)
    expire(address)
    enter().leases.acquire(pairs, seconds=LONG)
    with pytest.raises(LeaseLost):
        lost.heartbeat({"left": 1})
    assert [holder.words for holder in enter().leases.drivers(pairs)] == [{}]


@pytest.mark.parametrize("written", ["0", "-1", "abc", "inf", "nan", "1e9", "9" * 400, "1,5", "0.01"])
def test_a_lease_that_nobody_can_mean_is_refused(written: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOKD_LEASE_SECONDS", written)
    with pytest.raises(
        InputError, match=r"AUTOKD_LEASE_SECONDS: must be a number of seconds from 0\.1 to 604800"
    ):
        lease_seconds()


@pytest.mark.parametrize(
    ("written", "seconds"), [("", 120.0), (" ", 120.0), ("1", 1.0), ("1e2", 100.0), ("0.5", 0.5)]
)
def test_a_lease_is_as_long_as_the_environment_says(
    written: str, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTOKD_LEASE_SECONDS", written)
    assert lease_seconds() == seconds
