from __future__ import annotations

import gc
import os
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import optuna
import pytest
from sqlalchemy import create_engine, inspect, text

from autokd.errors import NotTuned, StorageUnavailable, StoreError
from autokd.store import Store, normalise, sqlite_url
from autokd.store.migrations import VERSION_TABLE


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "home" / "studies.db"


def test_opening_makes_the_folder_and_a_tuned_file(file: Path) -> None:
    with Store.open(f"sqlite:///{file}") as store, store._engine.connect() as connection:
        pragmas = {
            name: connection.execute(text(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "foreign_keys", "synchronous", "busy_timeout")
        }
    assert pragmas == {"journal_mode": "wal", "foreign_keys": 1, "synchronous": 1, "busy_timeout": 30_000}


def test_closing_leaves_one_file(file: Path) -> None:
    with Store.open(f"sqlite:///{file}") as store:
        store.create_study("study", attributes={})
    assert [each.name for each in file.parent.iterdir()] == ["studies.db"]


@pytest.mark.parametrize("name", ["a{b}c", "50% off", "é ü", "a#b?c=d", "{SCHEMA_VERSION}"])
def test_odd_folders_are_just_folders(tmp_path: Path, name: str) -> None:
    file = tmp_path / name / "studies.db"
    with Store.open(sqlite_url(file)) as store:
        store.create_study("study", attributes={})
    assert file.is_file()
    with Store.open(store.url, create=False) as again:
        assert again.studies() == ("study",)


def test_without_create_nothing_is_made(file: Path) -> None:
    with pytest.raises(NotTuned, match="autokd tune"):
        Store.open(f"sqlite:///{file}", create=False)
    assert not file.parent.exists()


def test_without_create_an_empty_database_stays_empty(empty: str) -> None:
    with pytest.raises(NotTuned, match="autokd tune"):
        Store.open(empty, create=False)
    engine = create_engine(normalise(empty))
    assert inspect(engine).get_table_names() == []
    engine.dispose()


def test_without_create_what_is_there_is_opened(file: Path) -> None:
    with Store.open(f"sqlite:///{file}") as store:
        store.create_study("study", attributes={})
    with Store.open(f"sqlite:///{file}", create=False) as store:
        assert store.studies() == ("study",)


def test_a_database_of_optuna_alone_has_nothing_of_ours(file: Path) -> None:
    file.parent.mkdir()
    optuna.create_study(storage=sqlite_url(file))
    with pytest.raises(NotTuned):
        Store.open(sqlite_url(file), create=False)
    with Store.open(sqlite_url(file)) as store:
        assert store.studies() == ()


def test_tables_of_another_version_are_not_touched(empty: str) -> None:
    Store.open(empty).close()
    engine = create_engine(normalise(empty))
    for table, version, problem in (
        (VERSION_TABLE, "9999", "a newer autokd wrote it"),
        ("alembic_version", "v3.0.0.a", "optuna storage upgrade"),
        ("alembic_version", "v99", "a newer Optuna wrote it"),
    ):
        with engine.begin() as connection:
            connection.execute(text(f"UPDATE {table} SET version_num = '{version}'"))
        with pytest.raises(StoreError, match=rf"version '?{version}.*{problem}"):
            Store.open(empty, create=table == VERSION_TABLE)
        with engine.connect() as connection:
            assert connection.execute(text(f"SELECT version_num FROM {table}")).scalar() == version
    engine.dispose()
    gc.collect()  # A connection left open would warn now.


def test_all_who_meet_on_an_empty_database_get_in(empty: str) -> None:
    together = threading.Barrier(4)

    def meet(number: int) -> tuple[str, ...]:
        together.wait()
        with Store.open(empty) as store:
            store.create_study("study of all", attributes={f"was here {number}": True})
            return store.studies()

    with ThreadPoolExecutor(max_workers=4) as pool:
        assert list(pool.map(meet, range(4))) == [("study of all",)] * 4
    with Store.open(empty, create=False) as store:
        assert len(store.attributes("study of all")) == 4


@pytest.mark.parametrize("ending", ["", "-wal", "-shm", "-journal"])
@pytest.mark.parametrize("create", [False, True])
def test_a_pipe_in_the_place_of_a_file_is_refused_and_not_waited_for(
    file: Path, ending: str, create: bool
) -> None:
    file.parent.mkdir(exist_ok=True)
    file.touch()
    place = file.with_name(file.name + ending)
    place.unlink(missing_ok=True)
    os.mkfifo(place)
    with pytest.raises(StorageUnavailable, match=f"{re.escape(place.name)} cannot be read: it is a pipe"):
        Store.open(sqlite_url(file), create=create)


def test_a_folder_in_the_place_of_a_store_is_named(file: Path) -> None:
    file.mkdir(parents=True)
    with pytest.raises(StorageUnavailable, match="cannot be read: Is a directory"):
        Store.open(sqlite_url(file))


def test_an_option_that_the_driver_stumbles_over_is_named_with_its_storage() -> None:
    with pytest.raises(StorageUnavailable, match=r"does not take its options \(charset\): AttributeError"):
        Store.open("mysql://root@127.0.0.1:1/test?charset=klingon")
