from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy.exc import NoSuchColumnError

from autokd.errors import StoreError
from autokd.store import Store, sqlite_url, validated
from tests.store.samples import complete_run, facts

STUDY = "digits-1a2b3c4d/plan/4->9"
READS = {
    "UPDATE autokd_run SET stage = 'party'": lambda store: store.runs(STUDY),
    "UPDATE autokd_run_correct SET bits = x'00'": lambda store: store.runs(STUDY),
    "UPDATE autokd_recommendation SET payload = '[1]'": lambda store: store.recommendation(STUDY),
    "UPDATE autokd_recommendation SET payload = '{'": lambda store: store.recommendation(STUDY),
    "UPDATE autokd_split SET labels = x'000000'": lambda store: store.federation("digits-1a2b3c4d"),
    "UPDATE autokd_federation SET classes = '7'": lambda store: store.federation("digits-1a2b3c4d"),
    "DELETE FROM autokd_participant_correct WHERE split = 'validation'": (
        lambda store: store.federation("digits-1a2b3c4d")
    ),
    "UPDATE autokd_driver SET process = '{}'": lambda store: store.leases.acquire([STUDY]),
    "UPDATE autokd_driver SET process = '1'": lambda store: store.leases.drivers([STUDY]),
    "UPDATE autokd_driver SET words = '{'": lambda store: store.leases.drivers([STUDY]),
}


@pytest.mark.parametrize("statement", READS)
def test_a_row_that_others_wrote_is_said_to_be_so(tmp_path: Path, statement: str) -> None:
    file = tmp_path / "autokd.db"
    with Store.open(sqlite_url(file)) as store:
        store.create_study(STUDY, attributes={})
        store.add_run(STUDY, complete_run())
        store.put_recommendation(STUDY, {"verdict": "tuned"})
        store.put_federation(facts("digits-1a2b3c4d"))
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("INSERT INTO autokd_driver VALUES ('token', '', 0, 0, '{}', 0, NULL)")
        connection.execute("INSERT INTO autokd_lease VALUES (?, 1, 'token')", [STUDY])
        connection.execute(statement)
        connection.commit()
    with Store.open(sqlite_url(file)) as store, pytest.raises(StoreError, match="was not written by autokd"):
        READS[statement](store)


def test_the_databases_own_errors_are_left_to_others() -> None:
    with pytest.raises(NoSuchColumnError), validated("a study"):
        raise NoSuchColumnError
