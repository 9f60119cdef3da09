"""A store into which somebody else has written: any value, of any type, in any column."""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import asdict
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final
from unittest.mock import patch

from hypothesis import strategies as st

from autokd.core.pair_records import PairRecords
from autokd.core.records import Failure, TrialOrigin, TrialState
from autokd.core.setting import DEFAULT, Pair
from autokd.search import transfer
from autokd.search.study_names import study_name
from autokd.search.transfer import warm_started_sampler
from autokd.store import Store, sqlite_url
from autokd.workflows.status import DriverStatus, pair_overview
from tests.fuzz.harness import Target
from tests.fuzz.odd import damaged
from tests.search.worlds import facts, features, open_space, tiny_plan
from tests.store.samples import DISTRIBUTIONS, ODD, complete_run, failed_run, rung, swept_run

PAIR, OTHER = Pair(0, 1), Pair(2, 3)
_OWN: Final = ("studies", "study_", "trial", "autokd_", "alembic", "version")
"""Beginnings of the names of tables that are read: Optuna's and ours."""


@cache
def _written() -> bytes:
    """A database in which one pair has trials of every kind, runs, and a recommendation."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "autokd.db"
        with Store.open(sqlite_url(file)) as store:
            name = _study(PAIR)
            attributes = {"teacher": PAIR.teacher, "student": PAIR.student}
            store.create_study(name, attributes=attributes, features=asdict(features(PAIR)))
            ends = [
                (TrialState.COMPLETE, None),
                (TrialState.PRUNED, None),
                (TrialState.FAIL, Failure.ERROR),
                None,
            ]
            for number, end in enumerate(ends):
                setting, role = (DEFAULT, TrialOrigin.BASELINE) if number == 0 else (ODD, TrialOrigin.SEARCH)
                store.begin_trial(name, setting, seed=0, role=role, distributions=DISTRIBUTIONS)
                store.report(name, number, rung(3))
                if end is not None:
                    store.end_trial(name, number, end[0], failure=end[1], reason="because")
            for run in (complete_run(), failed_run(), swept_run()):
                store.add_run(name, run)
            answer = {"verdict": "tuned", "gain": {"mean": 1.5}, "recommended": {"answer": "tuned"}}
            store.put_recommendation(name, answer)
            store.put_federation(facts())
        with closing(sqlite3.connect(file)) as connection:
            _hold(connection, _study(PAIR))
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return file.read_bytes()


def _hold(connection: sqlite3.Connection, study: str) -> None:
    """A driver on another machine, whose lease has run out."""
    process = '{"user": "a", "host": "b", "machine": "c", "number": 1, "started": null}'
    words = '{"ended": 12, "left": 30, "per_second": 2.5, "seconds_left": 12.0}'
    connection.execute("INSERT INTO autokd_driver VALUES ('token', ?, 0, 0, ?, 0, NULL)", [process, words])
    connection.execute("INSERT INTO autokd_lease VALUES (?, 1, 'token')", [study])
    connection.commit()


def _study(pair: Pair) -> str:
    return study_name(facts().name, tiny_plan(), open_space(), pair)


@cache
def _cells() -> Sequence[tuple[str, str, int]]:
    """Table, column and row of everything that is there."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "autokd.db"
        file.write_bytes(_written())
        with closing(sqlite3.connect(file)) as connection:
            tables = [
                name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            ]
            return [
                (table, column, row)
                for table in sorted(tables)
                if table.startswith(_OWN)
                for (row,) in connection.execute(f'SELECT rowid FROM "{table}" ORDER BY rowid').fetchall()
                for _, column, *_ in connection.execute(f'PRAGMA table_info("{table}")').fetchall()
            ]


_json = st.sampled_from(
    [
        "null",
        "[]",
        "{}",
        "[1]",
        '"x"',
        "1e999",
        "NaN",
        "{",
        '{"gain": 1}',
        '{"verdict": [], "gain": {}}',
        "[[1,2]]",
    ]
)
_numbers = st.integers(-(2**63), 2**63 - 1) | st.sampled_from([0, 1, -1, 2]) | st.floats()
_values = st.none() | _numbers | st.text(max_size=12) | st.binary(max_size=12) | _json
Edit = tuple[tuple[str, str, int], Any]


def _edits() -> st.SearchStrategy[list[Edit]]:
    """Which cells become what; `damaged` stands for what is there with some bytes changed."""
    change = _values | damaged(b"\x00" * 12).map(lambda noise: ("damaged", noise))
    return st.lists(st.tuples(st.sampled_from(_cells()), change), min_size=1, max_size=3)


def _apply(edits: list[Edit], file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        for (table, column, row), value in edits:
            new = value
            if isinstance(value, tuple):
                row_read = connection.execute(
                    f'SELECT "{column}" FROM "{table}" WHERE rowid = {row}'
                ).fetchone()
                # An edit before this one may have given the row another number.
                new = _mixed(row_read[0] if row_read else None, value[1])
            # What the database itself refuses nobody can have written.
            with suppress(sqlite3.IntegrityError):
                connection.execute(f'UPDATE "{table}" SET "{column}" = ? WHERE rowid = {row}', [new])
        connection.commit()


def _mixed(old: Any, noise: bytes) -> Any:
    """What was there, cut short and with something odd at its end."""
    if isinstance(old, bytes):
        return old[: len(old) // 2] + noise
    if isinstance(old, str):
        return old[: max(1, len(old) - len(noise))] + noise.decode("latin-1")
    return old


def _read(edits: list[Edit]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "autokd.db"
        file.write_bytes(_written())
        _apply(edits, file)
        with Store.open(sqlite_url(file), create=False) as store:
            _use(store)


def _use(store: Store) -> None:
    """What `status`, `recommend`, `export` and the beginning of `tune` read."""
    name = _study(PAIR)
    store.studies()
    records = PairRecords(pair=PAIR, study=name, trials=store.trials(name), runs=store.runs(name))
    pair_overview(records, store.recommendation(name))
    store.reports(name)
    store.attributes(name)
    store.features(name)
    for federation in store.federations():
        store.federation(federation)
    for driver in store.leases.drivers([name]):
        json.dumps(DriverStatus.of(driver).to_json(), allow_nan=False)
    store.leases.acquire([name]).release()
    known = facts()
    federation_named = SimpleNamespace(name=known.name)
    with patch.object(transfer, "pair_features", lambda federation, pair: features(pair)):
        names = {OTHER: _study(OTHER)}
        warm_started_sampler(
            store,
            config=tiny_plan(),
            space=open_space(),
            federation=federation_named,  # type: ignore[arg-type]
            facts=known,
            names=names,
        )


TARGETS = (Target("store", st.deferred(_edits), _read),)
