"""A database that is away, busy or broken: our errors, no password, and the same store works afterwards."""

from __future__ import annotations

import shutil
import socket
import sqlite3
import subprocess
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import psycopg
import pytest
from optuna.exceptions import StorageInternalError
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DatabaseError, DBAPIError, OperationalError

from autokd.core.records import TrialOrigin
from autokd.core.setting import DEFAULT
from autokd.errors import StorageUnavailable, StoreError, StoreUnreachable
from autokd.store import Store, normalise, sqlite_url
from autokd.store.db_errors import translate_errors
from tests.store.conftest import SERVERS
from tests.store.samples import DISTRIBUTIONS, complete_run, rung

SECRET = "hunter2"
on_servers = pytest.mark.parametrize("address", SERVERS, indirect=True, scope="session")


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port of this machine that nobody listens on, and that stays taken."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def printed(error: BaseException) -> str:
    """All that a traceback of it would show."""
    return "".join(traceback.format_exception(error))


@pytest.mark.parametrize("scheme", ["postgresql", "mariadb"])
@pytest.mark.parametrize("create", [True, False])
def test_a_server_that_does_not_answer(scheme: str, create: bool, closed_port: int) -> None:
    with pytest.raises(StoreUnreachable, match="cannot be reached") as caught:
        Store.open(f"{scheme}://me:{SECRET}@127.0.0.1:{closed_port}/studies", create=create)
    assert "check --storage" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert SECRET not in printed(caught.value)


@on_servers
def test_a_database_that_the_server_does_not_have(address: str) -> None:
    absent = (
        make_url(address).set(database="autokd_absent", password=SECRET).render_as_string(hide_password=False)
    )
    with pytest.raises(StoreUnreachable) as caught:
        Store.open(absent)
    assert SECRET not in printed(caught.value)


@on_servers
def test_a_server_that_comes_back_finds_the_same_store_working(
    store: Store, address: str, study: str
) -> None:
    begun = store.begin_trial(study, DEFAULT, seed=0, role=TrialOrigin.SEARCH, distributions=DISTRIBUTIONS)
    end_all_connections(address)
    store.report(study, begun.number, rung(3))
    end_all_connections(address)
    store.add_run(study, complete_run())
    assert store.trials(study)[0].curve == ((3, 0.5),)
    assert len(store.runs(study)) == 1


def end_all_connections(address: str) -> None:
    """As a restart of the server does, to this database only."""
    url = normalise(address)
    backend = url.get_backend_name()
    sessions, end = {
        "postgresql": (
            "SELECT pid FROM pg_stat_activity WHERE datname = :name AND pid <> pg_backend_pid()",
            "SELECT pg_terminate_backend(:each)",
        ),
        "mysql": (
            "SELECT id FROM information_schema.processlist WHERE db = :name AND id <> connection_id()",
            "KILL :each",
        ),
    }[backend]
    engine = create_engine(url)
    with engine.connect() as connection:
        others = connection.execute(text(sessions), {"name": url.database}).scalars().all()
        assert others, "the store holds a connection"
        for each in others:
            connection.execute(text(end), {"each": each})
    engine.dispose()


def test_a_locked_file_is_unreachable_and_later_works(file_store: Store, tmp_path: Path) -> None:
    path = str(normalise(file_store.url).database)
    with Store.open(f"{file_store.url}?timeout=0.05") as hasty:
        other = sqlite3.connect(path, isolation_level=None)
        try:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreUnreachable, match="database is locked"):
                hasty.add_run("study", complete_run())
            assert hasty.runs("study") == ()
            other.execute("ROLLBACK")
        finally:
            other.close()
        hasty.add_run("study", complete_run())
        assert len(hasty.runs("study")) == 1


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    file = tmp_path / "studies.db"
    file.write_bytes(b"not a database, and longer than the header that one begins with" * 20)
    before = file.read_bytes()
    with pytest.raises(StoreError, match="file is not a database"):
        Store.open(f"sqlite:///{file}")
    assert file.read_bytes() == before


def test_a_folder_in_place_of_a_file(tmp_path: Path) -> None:
    with pytest.raises(StorageUnavailable, match="Is a directory; choose another --home or --storage"):
        Store.open(f"sqlite:///{tmp_path}")


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(StorageUnavailable, match=r"Not a directory; choose another --home or --storage"):
        Store.open(f"sqlite:///{tmp_path}/taken/below/studies.db")


def test_a_table_that_is_gone_is_an_error_of_the_database(file_store: Store) -> None:
    with sqlite3.connect(str(normalise(file_store.url).database)) as other:
        other.execute("DROP TABLE autokd_run_correct")
    other.close()
    with pytest.raises(StoreError, match="no such table") as caught:
        file_store.add_run("study", complete_run())
    assert not isinstance(caught.value, StoreUnreachable)


class TalkativeOperationalError(Exception):
    """Stands for that of a driver that quotes what it was called with."""


TalkativeOperationalError.__name__ = "OperationalError"


def fail(said: str, *, inside_optuna: bool) -> NoReturn:
    error = OperationalError("SELECT 1", {}, TalkativeOperationalError(said))
    if not inside_optuna:
        raise error
    raise StorageInternalError(said) from error


@pytest.mark.parametrize("said", [SECRET, "hunter%40 2", f"could not connect to me:{SECRET}@db\nreally"])
@pytest.mark.parametrize("wrapped", [False, True])
def test_a_talkative_driver_is_silenced(said: str, wrapped: bool) -> None:
    url = normalise("postgresql://db/studies").set(username="me", password=SECRET)
    if "%" in said:
        url = url.set(password="hunter@ 2")
    with pytest.raises(StoreUnreachable) as caught, translate_errors(url):
        fail(said, inside_optuna=wrapped)
    assert "hunter" not in printed(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("state", "away"),
    [
        ("57P01", True),  # Shut down by its administrator.
        ("57P03", True),  # Starting up.
        ("53300", True),  # Too many connections.
        ("40P01", True),  # Deadlock.
        ("53100", False),  # Disk full: psycopg calls that operational, too.
        ("25006", False),  # Read-only.
        ("42501", False),  # No permission.
        ("42P01", False),  # No such table.
    ],
)
def test_what_postgresql_says_tells_an_outage_from_a_fault(state: str, away: bool) -> None:
    error = psycopg.errors.lookup(state)("it says so")
    with pytest.raises(StoreError) as caught, translate_errors(normalise("postgresql://db/studies")):
        raise DBAPIError.instance("SELECT 1", {}, error, psycopg.Error)
    assert isinstance(caught.value, StoreUnreachable) is away


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder that holds little more than an empty store."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1200k", "none", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting a disk of one's own needs root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_a_fault_and_the_store_opens_afterwards(tiny_disk: Path) -> None:
    address, kept = sqlite_url(tiny_disk / "studies.db"), 0
    with Store.open(address) as full:
        with pytest.raises(StoreError, match="disk is full") as caught:  # noqa: PT012
            for kept in range(10_000):
                full.add_run("study", complete_run(seed=kept))
        assert not isinstance(caught.value, StoreUnreachable)
        assert len(full.runs("study")) == kept
    with Store.open(address) as again:
        assert len(again.runs("study")) == kept
    subprocess.run(["mount", "-o", "remount,size=8m", str(tiny_disk)], check=True)
    with Store.open(address) as again:
        again.add_run("study", complete_run(seed=kept))


def test_a_disk_that_may_only_be_read_is_named_and_nothing_is_changed(tiny_disk: Path) -> None:
    address = sqlite_url(tiny_disk / "studies.db")
    with Store.open(address) as store:
        store.add_run("study", complete_run())
    before = (tiny_disk / "studies.db").read_bytes()
    subprocess.run(["mount", "-o", "remount,ro", str(tiny_disk)], check=True)
    for create in (True, False):
        with pytest.raises(StorageUnavailable, match="cannot be written; choose another --home or --storage"):
            Store.open(address, create=create)
    assert (tiny_disk / "studies.db").read_bytes() == before
    subprocess.run(["mount", "-o", "remount,rw", str(tiny_disk)], check=True)
    with Store.open(address) as store:
        assert len(store.runs("study")) == 1


def test_a_cause_is_kept_where_there_is_no_secret() -> None:
    cause = DatabaseError("SELECT 1", {}, RuntimeError("odd"))
    with (
        pytest.raises(StoreError, match="reports: odd") as caught,
        translate_errors(normalise("sqlite:///x.db")),
    ):
        raise cause
    assert caught.value.__cause__ is cause


def test_what_is_no_fault_of_the_database_passes() -> None:
    with pytest.raises(KeyError), translate_errors(normalise("sqlite:///x.db")):
        raise KeyError("a slip of ours")
