from __future__ import annotations

import fcntl
import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import NullPool, create_engine

from autokd.errors import StorageUnavailable
from autokd.store import Store, locks, normalise
from autokd.store.url import sqlite_file


@contextmanager
def locked(address: str) -> Iterator[None]:
    """Hold the lock as a process does that makes the tables and hangs."""
    url = normalise(address)
    engine = create_engine(url, poolclass=NullPool)
    with locks.one_at_a_time(url, engine.connect):
        yield


def test_who_makes_the_tables_and_hangs_is_waited_for_with_a_word_and_a_limit(
    empty: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(locks, "_SILENT_SECONDS", 0.2)
    monkeypatch.setattr(locks, "LOCK_SECONDS", 1.0)
    began = time.monotonic()
    with (
        locked(empty),
        caplog.at_level(logging.WARNING, "autokd"),
        pytest.raises(StorageUnavailable, match="another process has been making or upgrading the tables"),
    ):
        Store.open(empty)
    assert 1.0 < time.monotonic() - began < 10
    assert len([record for record in caplog.records if "waiting for another process" in record.message]) == 1
    Store.open(empty).close()


def test_who_makes_them_soon_is_just_waited_for(empty: str) -> None:
    over = threading.Event()

    def hold() -> None:
        with locked(empty):
            over.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    threading.Timer(0.5, over.set).start()
    Store.open(empty).close()
    thread.join()


def test_a_store_that_is_up_to_date_waits_for_nobody(empty: str) -> None:
    Store.open(empty).close()
    with locked(empty), Store.open(empty) as store:
        assert store.studies() == ()


def test_a_folder_without_locks_is_used_without(
    monkeypatch: pytest.MonkeyPatch, tmp_path: os.PathLike[str]
) -> None:
    def refuse(handle: int, how: int) -> None:
        raise OSError(95, "not supported")

    monkeypatch.setattr(fcntl, "flock", refuse)
    address = f"sqlite:///{os.fspath(tmp_path)}/studies.db"
    Store.open(address).close()
    file = sqlite_file(normalise(address))
    assert file is not None
    assert file.exists()
