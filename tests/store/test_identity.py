"""A store that is removed or replaced while it is used."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from autokd.errors import LeaseLost, StorageUnavailable, StoreReplaced
from autokd.store import Store, normalise, sqlite_url
from autokd.store.backup import backup
from tests.store.samples import complete_run

STUDY = "federation/plan/4->9"


def remove(file: Path) -> None:
    file.unlink()


def move(file: Path) -> None:
    file.rename(file.with_name("elsewhere.db"))


def put_another(file: Path) -> None:
    other = file.with_name("other.db")
    Store.open(sqlite_url(other)).close()
    other.replace(file)


def put_a_copy(file: Path) -> None:
    copy = file.with_name("copy.db")
    shutil.copy(file, copy)
    copy.replace(file)


def link_another(file: Path) -> None:
    other = file.with_name("other.db")
    Store.open(sqlite_url(other)).close()
    file.unlink()
    os.link(other, file)


def write_another_over(file: Path) -> None:
    other = file.with_name("other.db")
    Store.open(sqlite_url(other)).close()
    subprocess.run(["cp", other, file], check=True)  # In another process: see the last test of this module.


def write_a_backup_over(file: Path) -> None:
    copy = file.with_name("copy.db")
    backup(normalise(sqlite_url(file)), copy)
    subprocess.run(["cp", copy, file], check=True)


def write_nonsense_over(file: Path) -> None:
    subprocess.run(["dd", "if=/dev/urandom", f"of={file}", "count=9", "conv=notrunc"], check=True)


def write_an_older_header_over(file: Path) -> None:
    """As an older copy of the same store has it: SQLite counts changes at byte 24."""
    where = ("bs=1", "seek=24", "count=4", "conv=notrunc")
    subprocess.run(["dd", "if=/dev/zero", f"of={file}", *where], check=True)


def cut_short(file: Path) -> None:
    os.truncate(file, 0)


@pytest.mark.parametrize(
    ("fault", "word"),
    [
        *((remove, "removed"), (move, "removed"), (put_another, "replaced"), (put_a_copy, "replaced")),
        *((link_another, "replaced"), (write_another_over, "written over")),
        *((write_a_backup_over, "written over"), (write_nonsense_over, "written over")),
        *((write_an_older_header_over, "written over"), (cut_short, "written over")),
    ],
)
def test_a_driver_whose_file_is_no_longer_there_stops_and_says_so(
    file_store: Store, fault: Callable[[Path], None], word: str
) -> None:
    file_store.create_study(STUDY, attributes={})
    file_store.leases.acquire([STUDY])
    file_store.add_run(STUDY, complete_run())
    fault(Path(str(normalise(file_store.url).database)))
    for seed in (1, 2):
        with pytest.raises(StoreReplaced, match=f"was {word}.*autokd store restore") as caught:
            file_store.add_run(STUDY, complete_run(seed=seed))
        assert "\n" not in str(caught.value)


def test_the_renewal_of_a_lease_notices_it_too(file_store: Store) -> None:
    lease = file_store.leases.acquire([STUDY])
    remove(Path(str(normalise(file_store.url).database)))
    with pytest.raises(StoreReplaced):
        lease.renew()


def test_a_database_of_another_identity_is_not_that_of_the_lease(empty: str) -> None:
    with Store.open(empty) as store:
        lease = store.leases.acquire([STUDY])
        engine = create_engine(normalise(empty))
        with engine.begin() as connection:
            connection.execute(text("UPDATE autokd_store SET identity = 'another'"))
        with pytest.raises(StoreReplaced, match="replaced by another store"):
            lease.renew()
        with engine.begin() as connection:
            connection.execute(text("DELETE FROM autokd_driver"))
        with pytest.raises((LeaseLost, StoreReplaced)):
            store.add_run(STUDY, complete_run())
        engine.dispose()


def test_each_store_has_an_identity_that_stays(empty: str) -> None:
    def identity() -> str:
        with Store.open(empty) as store, store._engine.connect() as connection:
            return str(connection.scalar(text("SELECT identity FROM autokd_store")))

    assert len(identity()) == 32
    assert identity() == identity()


def left_over(file: Path, *, of: Path) -> None:
    """Put the write-ahead log of a file that is being written beside another one."""
    with closing(sqlite3.connect(of)) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS more (x BLOB)")
        connection.execute("INSERT INTO more VALUES (zeroblob(100000))")
        connection.commit()
        shutil.copy(of.with_name(f"{of.name}-wal"), file.with_name(f"{file.name}-wal"))


def test_a_log_of_another_store_is_refused_with_a_way_out(tmp_path: Path) -> None:
    file, other = tmp_path / "a.db", tmp_path / "b.db"
    for each in (file, other):
        Store.open(sqlite_url(each)).close()
    before = file.read_bytes()
    left_over(file, of=other)
    with pytest.raises(StorageUnavailable, match=r"write-ahead log of another store, a\.db-wal.*move"):
        Store.open(sqlite_url(file))
    assert file.read_bytes() == before
    file.with_name("a.db-wal").unlink()
    Store.open(sqlite_url(file)).close()


def test_its_own_log_is_read(tmp_path: Path) -> None:
    file, copy = tmp_path / "a.db", tmp_path / "killed.db"
    Store.open(sqlite_url(file)).close()
    shutil.copy(file, copy)
    left_over(copy, of=file)
    with Store.open(sqlite_url(copy)) as store, store._engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM more")) == 1


LEAVE_WAL = """
import sqlite3, sys
with sqlite3.connect(sys.argv[1], timeout=0) as connection:
    print(connection.execute("PRAGMA journal_mode = DELETE").fetchone()[0])
"""


def test_to_open_a_store_again_leaves_the_locks_of_this_process(file_store: Store) -> None:
    """Without them another process may take the write-ahead log away from under this one."""
    file = Path(str(normalise(file_store.url).database))
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        Store.open(file_store.url).close()
        other = subprocess.run(
            [sys.executable, "-c", LEAVE_WAL, file], capture_output=True, text=True, check=False
        )
        assert "database is locked" in other.stderr
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
