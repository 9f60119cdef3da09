from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from autokd.core.records import TrialOrigin
from autokd.core.setting import DEFAULT
from autokd.store import Store, normalise, sqlite_url
from autokd.store.checking import problems
from tests.store.samples import DISTRIBUTIONS, complete_run, facts, rung

STUDY = "federation/plan/4->9"
OTHER = "federation/plan/9->4"


def fill(store: Store) -> None:
    store.put_federation(facts("federation"))
    for study in (STUDY, OTHER):
        store.create_study(study, attributes={})
        begun = store.begin_trial(
            study, DEFAULT, seed=0, role=TrialOrigin.BASELINE, distributions=DISTRIBUTIONS
        )
        store.report(study, begun.number, rung(3))
        store.add_run(study, complete_run())
        store.put_recommendation(study, {"verdict": "tuned"})


def test_in_a_store_that_only_autokd_has_written_nothing_is_wrong(empty: str) -> None:
    with Store.open(empty) as store:
        fill(store)
        assert list(problems(store)) == []


_ATTRIBUTES = "UPDATE trial_user_attributes SET value_json"
FAULTS = {
    "JSON of a trial": (f"{_ATTRIBUTES} = '{{'", "trial_user_attributes", "not JSON"),
    "a role": (f"{_ATTRIBUTES} = '\"x\"' WHERE key = 'role'", STUDY, "not written"),
    "bits of a run": ("UPDATE autokd_run_correct SET bits = x'00'", STUDY, "not written"),
    "a recommendation": ("UPDATE autokd_recommendation SET payload = '[1]'", STUDY, "not written"),
    "a row without its run": ("DELETE FROM autokd_run", "autokd_run_correct", "do not exist"),
    "a trial without its study": ("DELETE FROM studies WHERE study_id = 2", "trials", "do not exist"),
    "labels": ("UPDATE autokd_split SET labels = x'00'", "federation federation", "not written"),
    "the version": ("UPDATE autokd_alembic_version SET version_num = '0001'", "tables", "0001"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_somebody_else_wrote_is_named(tmp_path: Path, fault: str) -> None:
    statement, where, what = FAULTS[fault]
    with Store.open(sqlite_url(tmp_path / "store.db")) as store:
        fill(store)
        with closing(sqlite3.connect(tmp_path / "store.db")) as connection:
            connection.execute(statement)
            connection.commit()
        for study in (STUDY, OTHER):
            store.evict(study)
        places = [(problem.where, problem.what) for problem in problems(store)]
    assert [each for each in places if each[0] == where and what in each[1]], places


def test_a_damaged_page_is_named(file_store: Store) -> None:
    fill(file_store)
    file = Path(str(normalise(file_store.url).database))
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (page,) = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'ix_autokd_run_study'"
        ).fetchone()
    with file.open("r+b") as opened:
        opened.seek((page - 1) * 4096 + 8)
        opened.write(b"\x7f" * 64)
    with Store.open(file_store.url) as again:
        assert any(problem.where == "file" for problem in problems(again))
