from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from autokd.errors import InputError, NotTuned, StorageUnavailable, StoreError
from autokd.store import Store, normalise, sqlite_url
from autokd.store import backup as copies
from autokd.store.backup import backup, restore
from autokd.workflows.store_care import check_store, restore_store
from autokd.workspace import Workspace
from tests.store.samples import complete_run
from tests.store.test_identity import left_over

STUDY = "federation/plan/4->9"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A store with one run."""
    path = tmp_path / "home" / "autokd.db"
    with Store.open(sqlite_url(path)) as store:
        store.create_study(STUDY, attributes={})
        store.add_run(STUDY, complete_run())
    return path


def runs(file: Path) -> int:
    with Store.open(sqlite_url(file), create=False) as store:
        return len(store.runs(STUDY))


def test_a_backup_has_what_the_log_has_and_a_restore_puts_it_back(file: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    with Store.open(sqlite_url(file)) as store, store.leases.acquire([STUDY]):
        store.add_run(STUDY, complete_run(seed=1))
        backup(normalise(sqlite_url(file)), copy)
        store.add_run(STUDY, complete_run(seed=2))
    assert [each.name for each in tmp_path.iterdir() if each.is_file()] == ["copy.db"]
    assert copy.stat().st_mode & 0o777 == 0o600
    restore(normalise(sqlite_url(file)), copy)
    assert runs(file) == 2
    assert runs(file.with_name("autokd.db.before-restore")) == 3
    with Store.open(sqlite_url(file)) as store:
        assert store.leases.drivers() == ()
        store.leases.acquire([STUDY]).release()


def test_while_a_driver_writes_a_backup_is_whole(file: Path, tmp_path: Path) -> None:
    over = threading.Event()

    def write() -> None:
        with Store.open(sqlite_url(file)) as store:
            for seed in range(1, 10_000):
                store.add_run(STUDY, complete_run(seed=seed))
                if over.is_set():
                    return

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for number in range(3):
            copy = tmp_path / f"{number}.db"
            backup(normalise(sqlite_url(file)), copy)
            with closing(sqlite3.connect(copy)) as connection:
                assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    finally:
        over.set()
        thread.join()


def test_nothing_is_overwritten_and_no_half_copy_left(file: Path, tmp_path: Path) -> None:
    taken, absent = tmp_path / "taken.db", tmp_path / "absent.db"
    taken.write_text("mine")
    with pytest.raises(InputError, match="exists"):
        backup(normalise(sqlite_url(file)), taken)
    assert taken.read_text() == "mine"
    with pytest.raises(NotTuned):
        backup(normalise(sqlite_url(absent)), tmp_path / "new.db")
    assert not (tmp_path / "new.db").exists()


def test_an_interrupted_backup_or_restore_leaves_no_half_file(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "copy.db"
    backup(normalise(sqlite_url(file)), copy)
    before = [path.name for path in (*tmp_path.iterdir(), *file.parent.iterdir())]

    def interrupt(connection: sqlite3.Connection) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(copies, "_renew", interrupt)
    with pytest.raises(KeyboardInterrupt):
        backup(normalise(sqlite_url(file)), tmp_path / "other.db")
    with pytest.raises(KeyboardInterrupt):
        restore(normalise(sqlite_url(file)), copy)
    assert [path.name for path in (*tmp_path.iterdir(), *file.parent.iterdir())] == before


def test_a_backup_has_its_name_only_when_it_is_whole(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = list[bool]()
    monkeypatch.setattr(copies, "_renew", lambda connection: seen.append((tmp_path / "copy.db").exists()))
    backup(normalise(sqlite_url(file)), tmp_path / "copy.db")
    assert seen == [False]
    assert (tmp_path / "copy.db").exists()


@pytest.mark.parametrize("content", [b"no database at all, and longer than a header" * 20, b""])
def test_what_is_no_backup_is_refused_and_changes_nothing(file: Path, tmp_path: Path, content: bytes) -> None:
    odd = tmp_path / "odd.db"
    odd.write_bytes(content)
    before = file.read_bytes()
    with pytest.raises(InputError, match="not a store of autokd that can be used"):
        restore(normalise(sqlite_url(file)), odd)
    assert file.read_bytes() == before
    assert [each.name for each in file.parent.iterdir()] == ["autokd.db"]


def test_a_plain_copy_of_a_backup_beside_the_old_log_is_recognised(file: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    backup(normalise(sqlite_url(file)), copy)
    left_over(copy, of=file)
    with pytest.raises(StorageUnavailable, match="write-ahead log of another store"):
        Store.open(sqlite_url(copy))
    other = tmp_path / "other.db"
    copy.with_name("copy.db-wal").unlink()
    backup(normalise(sqlite_url(copy)), other)
    left_over(copy, of=file)
    restore(normalise(sqlite_url(copy)), other)
    assert runs(copy) == 1


def damage(file: Path) -> None:
    """Write over pages in the middle."""
    with file.open("r+b") as opened:
        opened.seek(4096)
        opened.write(b"x" * (file.stat().st_size - 8192))


def make_newer(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("UPDATE autokd_alembic_version SET version_num = 'later'")
        connection.commit()


@pytest.mark.parametrize("spoil", [damage, make_newer])
def test_a_backup_that_cannot_be_used_is_refused_and_changes_nothing(
    file: Path, tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    copy = tmp_path / "copy.db"
    backup(normalise(sqlite_url(file)), copy)
    spoil(copy)
    with pytest.raises(InputError, match="not a store of autokd that can be used"):
        restore(normalise(sqlite_url(file)), copy)
    assert [each.name for each in file.parent.iterdir()] == ["autokd.db"]
    assert runs(file) == 1


def write_nonsense(file: Path) -> None:
    file.write_bytes(b"no database at all, and longer than a header" * 20)


def lay_a_log_beside(file: Path) -> None:
    other = file.with_name("other.db")
    Store.open(sqlite_url(other)).close()
    left_over(file, of=other)
    other.unlink()


@pytest.mark.parametrize("spoil", [damage, make_newer, write_nonsense, lay_a_log_beside])
def test_a_store_that_cannot_be_opened_can_be_restored_and_is_kept_as_it_is(
    file: Path, tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    copy = tmp_path / "copy.db"
    backup(normalise(sqlite_url(file)), copy)
    spoil(file)
    place = Workspace.open("digits", home=file.parent)
    way_out = "upgrade" if spoil is make_newer else "autokd store restore"
    with pytest.raises((StoreError, StorageUnavailable), match=way_out):
        check_store(place)
    before = file.read_bytes()
    restore_store(place, copy)
    assert runs(file) == 1
    assert not file.with_name("autokd.db-wal").exists()
    kept = file.with_name("autokd.db.before-restore")
    assert kept.exists()
    assert spoil is make_newer or kept.read_bytes() == before


@pytest.mark.parametrize(
    ("address", "tool"), [("postgresql://me@h/d", "pg_dump"), ("mysql://me@h/d", "mysqldump")]
)
def test_servers_have_tools_of_their_own(address: str, tool: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=tool):
        backup(normalise(address), tmp_path / "copy.db")


def test_a_pipe_is_no_backup_and_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="pipe cannot be read: it is a pipe or a device"):
        restore(normalise(sqlite_url(tmp_path / "studies.db")), tmp_path / "pipe")
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]
    with pytest.raises(InputError, match="pipe cannot be read: it is a pipe or a device"):
        backup(normalise(sqlite_url(tmp_path / "pipe")), tmp_path / "copy.db")
