from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from autokd.core.price import Load
from autokd.errors import StoreUnreachable
from autokd.execution.heartbeat import BatchClock, with_heartbeat
from autokd.search.progress import Progress
from autokd.store import Lease, Store, sqlite_url

STUDY = "federation/plan/4->9"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(sqlite_url(tmp_path / "store.db")) as opened:
        opened.leases.acquire([STUDY])
        yield opened


def progress(ended: int) -> Progress:
    return Progress(
        studies=(),
        live=2,
        ended=ended,
        left=20,
        seconds=12.0,
        waited=2.0,
        work_left=Load(20, 40, 4000),
        done=Load(ended - 1, 2.0 * (ended - 1), 200.0 * (ended - 1)),
    )


def test_the_store_is_told_what_the_listener_hears(store: Store) -> None:
    heard: list[Progress] = []
    hear = with_heartbeat(store, heard.append, seconds=0.0)
    hear(progress(ended=6))
    hear(progress(ended=11))
    assert heard == [progress(ended=6), progress(ended=11)]
    (driver,) = store.leases.drivers([STUDY])
    assert driver.words == {"ended": 11, "left": 20, "per_second": 1.0, "seconds_left": 20.0}


def test_it_is_told_now_and_then_only(store: Store) -> None:
    heard: list[Progress] = []
    hear = with_heartbeat(store, heard.append, seconds=1000.0)
    hear(progress(ended=6))
    hear(progress(ended=11))
    assert len(heard) == 2
    assert store.leases.drivers([STUDY])[0].words["ended"] == 6


def test_a_database_that_is_away_is_told_later(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The runs' own writes wait for it, and say so."""

    def away(lease: Lease, words: Mapping[str, Any]) -> None:
        raise StoreUnreachable("it is away")

    hear = with_heartbeat(store, lambda progress: None, seconds=0.0)
    with monkeypatch.context() as patched:
        patched.setattr(Lease, "heartbeat", away)
        hear(progress(ended=6))
    assert store.leases.drivers([STUDY])[0].words == {}
    hear(progress(ended=11))
    assert store.leases.drivers([STUDY])[0].words["ended"] == 11


def test_the_time_of_a_batch_goes_on_with_the_next_command(store: Store) -> None:
    store.create_study(STUDY, attributes={})
    first = BatchClock(store, [STUDY], lead=3.0, every=5.0)
    assert first.before == 3.0
    hear = first.with_time(lambda progress: None)
    hear(progress(ended=0))
    assert BatchClock(store, [STUDY]).before == 15.0, "also if it is killed before any run has ended"
    hear(replace(progress(ended=1), seconds=14.0))
    assert BatchClock(store, [STUDY]).before == 15.0, "not at every change"
    hear(replace(progress(ended=1), seconds=18.0))
    assert BatchClock(store, [STUDY]).before == 21.0
    first.stop(replace(progress(ended=2), seconds=19.0))
    assert BatchClock(store, [STUDY], lead=1.0).before == 23.0


def test_another_batch_has_a_time_of_its_own_and_a_command_without_runs_takes_none(store: Store) -> None:
    other = "federation/plan/9->4"
    store.create_study(STUDY, attributes={})
    BatchClock(store, [STUDY]).stop(progress(ended=1))
    assert BatchClock(store, [STUDY, other]).before == 0.0
    BatchClock(store, [STUDY]).stop(replace(progress(ended=0), live=0))
    assert BatchClock(store, [STUDY]).before == 12.0
