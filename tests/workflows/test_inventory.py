"""What a home holds, and deleting of it: what is listed, what goes, what stays, and who is not disturbed."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from autokd.errors import InputError, PairBusy
from autokd.search.study_names import _PREPARES
from autokd.store import Store, sqlite_url
from autokd.store.checking import problems
from autokd.workflows.inventory import Inventory, delete, inventory, to_delete
from tests.paths import ROOT

FEDERATION = "small-f25d0576"
DEFAULT, PRIVATE = f"{FEDERATION}/small-default-da3d86ee", f"{FEDERATION}/small-private-97f5c3f7"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The home of an earlier version: four participants, all pairs tuned."""
    shutil.unpack_archive(ROOT / "tests" / "compatibility" / "home.zip", tmp_path / "home")
    return tmp_path / "home"


def listed(home: Path) -> Inventory:
    return inventory(home, sqlite_url(home / "autokd.db"))


def remove(home: Path, name: str) -> None:
    storage = sqlite_url(home / "autokd.db")
    delete(to_delete(name, home, storage), storage)


def test_a_home_is_listed_by_federation_and_recipe(home: Path) -> None:
    (federation,) = listed(home).federations
    assert (federation.name, len(federation.batches)) == (FEDERATION, 4)
    assert federation.size == sum(
        file.stat().st_size for file in (home / "federations" / FEDERATION).rglob("*") if file.is_file()
    )
    batch = federation.batches[0]
    assert batch.name == DEFAULT
    assert (len(batch.studies), batch.trials, batch.runs) == (12, 96, 92)
    assert batch.verdicts == {"tuned": 7, "default": 5}
    assert batch.began is not None
    assert batch.ended is not None
    assert batch.began < batch.ended


@pytest.mark.parametrize(
    "forged",
    [
        "UPDATE trials SET datetime_start = '', datetime_complete = 'x' WHERE trial_id = 1",
        "UPDATE trials SET datetime_start = -1, datetime_complete = 1e400 WHERE trial_id = 1",
        "UPDATE autokd_federation SET name = x'ff00'",
    ],
)
def test_a_forged_row_hides_nothing_else(home: Path, forged: str) -> None:
    with closing(sqlite3.connect(home / "autokd.db")) as connection:
        connection.execute(forged)
        connection.commit()
    (federation,) = listed(home).federations
    assert (federation.batches[0].trials, federation.batches[0].began is not None) == (96, True)


def test_an_empty_home_and_one_without_a_store(home: Path, tmp_path: Path) -> None:
    assert listed(tmp_path / "none").federations == ()
    (home / "autokd.db").unlink()
    (federation,) = listed(home).federations
    assert federation.prepared is not None
    assert federation.batches == ()


def test_deleting_a_recipes_studies_leaves_all_others(home: Path) -> None:
    remove(home, DEFAULT)
    (federation,) = listed(home).federations
    assert federation.batches[0].name == PRIVATE
    assert len(federation.batches) == 3
    assert (home / "federations" / FEDERATION / "manifest.json").is_file()
    with Store.open(sqlite_url(home / "autokd.db")) as store:
        assert list(problems(store)) == []
        assert store.trials(f"{PRIVATE}/0->1")
        assert store.trials(f"{DEFAULT}/0->1") == ()
        assert store.runs(f"{DEFAULT}/0->1") == ()
        assert store.recommendation(f"{DEFAULT}/0->1") is None
        assert store.federation(FEDERATION) is not None


def test_deleting_one_study(home: Path) -> None:
    remove(home, f"{DEFAULT}/0->1")
    batch = listed(home).federations[0].batches[0]
    assert len(batch.studies) == 11
    assert f"{DEFAULT}/1->0" in {study.name for study in batch.studies}


def test_deleting_a_federation_takes_its_studies_and_its_folder(home: Path) -> None:
    before = (home / "autokd.db").stat().st_size
    remove(home, FEDERATION)
    assert listed(home).federations == ()
    assert list((home / "federations").iterdir()) == []
    with Store.open(sqlite_url(home / "autokd.db")) as store:
        assert list(problems(store)) == []
        assert store.names() == frozenset()
        assert store.federations() == ()
    assert (home / "autokd.db").stat().st_size < before / 2


@pytest.mark.parametrize("held", [f"{DEFAULT}/0->1", f"{DEFAULT}/not->there yet"])
@pytest.mark.parametrize("name", [FEDERATION, DEFAULT])
def test_nothing_is_deleted_while_a_driver_is_at_work(home: Path, name: str, held: str) -> None:
    with (
        Store.open(sqlite_url(home / "autokd.db")) as store,
        store.leases.acquire([held]),
        pytest.raises(InputError, match=r"is at work on|is being tuned by"),
    ):
        remove(home, name)
    assert len(listed(home).federations[0].batches) == 4


def test_a_driver_at_work_on_something_else_is_not_disturbed(home: Path) -> None:
    with (
        Store.open(sqlite_url(home / "autokd.db")) as store,
        store.leases.acquire([f"{PRIVATE}/0->1"]) as lease,
    ):
        remove(home, DEFAULT)
        lease.renew()
    assert len(listed(home).federations[0].batches) == 3


def test_a_federation_that_is_being_prepared_stays(home: Path) -> None:
    preparation = f"small-0123abcd/{_PREPARES}-1234/all"
    with Store.open(sqlite_url(home / "autokd.db")) as store, store.leases.acquire([preparation]):
        with pytest.raises(InputError, match="is at work on small-0123abcd"):
            remove(home, FEDERATION)
        remove(home, DEFAULT)


def test_a_driver_that_begins_between_the_looks_wins(home: Path) -> None:
    storage = sqlite_url(home / "autokd.db")
    deletion = to_delete(DEFAULT, home, storage)
    everything = [study.name for study in deletion.studies]
    with Store.open(storage) as store, store.leases.acquire(everything), pytest.raises(PairBusy):
        delete(deletion, storage)
    assert len(listed(home).federations[0].batches[0].studies) == 12


def test_the_rest_of_an_unfinished_deletion_is_deleted_by_the_same_call(home: Path) -> None:
    storage = sqlite_url(home / "autokd.db")
    deletion = to_delete(FEDERATION, home, storage)
    delete(to_delete(DEFAULT, home, storage), storage)
    delete(deletion, storage)
    assert listed(home).federations == ()


@pytest.mark.parametrize("name", ["", "/", "small", f"{DEFAULT}/9->9", "..", "../home", f"{FEDERATION}x"])
def test_what_is_not_there_is_not_deleted(home: Path, name: str) -> None:
    with pytest.raises(InputError, match="nothing stored has the name"):
        remove(home, name)
    assert len(listed(home).federations[0].batches) == 4
