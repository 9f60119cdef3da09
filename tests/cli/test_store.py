"""`autokd store`, as it is typed."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import create_engine, update

from autokd.errors import PairBusy
from autokd.store import Store, normalise, sqlite_url
from autokd.store.leases import Now
from autokd.store.process import Process
from autokd.store.tables import DriverRow
from tests.cli.conftest import Command

STUDY = "digits-1a2b3c4d/digits-default-5e6f7a8b/4->9"
"""A study of the shipped recipe, whatever its hashes."""
YEAR = 365 * 86_400


@pytest.fixture
def file(here: Command, tmp_path: Path) -> Path:
    """The store that the commands use."""
    file = tmp_path / "autokd-home" / "autokd.db"
    with Store.open(sqlite_url(file)) as store:
        store.create_study(STUDY, attributes={})
    return file


def hold(file: Path, process: Process) -> None:
    """Leave the lease of a driver behind whose clock was a year ahead when it died."""
    with Store.open(sqlite_url(file)) as store:
        store.leases.acquire([STUDY])
        engine = create_engine(normalise(sqlite_url(file)))
        with engine.begin() as connection:
            row = {"process": process.model_dump_json(), "expires": Now() + YEAR}
            connection.execute(update(DriverRow).values(row))
        engine.dispose()
        store._retry.leases.clear()  # So that closing does not give it back.


ELSEWHERE = Process(user="ann", host="node", machine="another namespace", number=7, started=None)


def test_the_pairs_of_a_dead_driver_are_given_back(here: Command, file: Path) -> None:
    hold(file, ELSEWHERE)
    with Store.open(sqlite_url(file)) as store, pytest.raises(PairBusy, match="store release --pair 4,9"):
        store.leases.acquire([STUDY])
    assert "nobody has" in here("store", "release", "--pair", "0,1").out
    assert "ann@node" in here("store", "release", "--pair", "4,9").out
    with Store.open(sqlite_url(file)) as store:
        store.leases.acquire([STUDY]).release()


def test_those_of_one_that_is_alive_here_are_not(here: Command, file: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as alive:
        time.sleep(0.2)
        current = Process.current()
        hold(file, current.model_copy(update={"number": alive.pid, "started": None}))
        refused, replaced = here("store", "release"), here("store", "restore", file)
        assert (refused.code, replaced.code) == (2, 2)
        assert "alive on this machine" in refused.err
        assert "is at work on this store" in replaced.err
        alive.communicate(b"\n")


def test_backup_restore_and_check(here: Command, file: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    here("store", "backup", str(copy))
    assert "exists" in here("store", "backup", str(copy)).err
    assert "nothing is wrong" in here("store", "check").out
    with Store.open(sqlite_url(file)) as store:
        store.create_study(f"{STUDY} more", attributes={})
    here("store", "restore", str(copy))
    with Store.open(sqlite_url(file)) as store:
        assert store.studies() == (STUDY,)
        store.put_recommendation(STUDY, {})
        with store._engine.begin() as connection:
            connection.exec_driver_sql("UPDATE autokd_recommendation SET payload = '['")
    checked = here("store", "check", "--json")
    assert checked.code == 1
    report = json.loads(checked.out)
    assert {problem["where"] for problem in report["problems"]} == {"autokd_recommendation", STUDY}
