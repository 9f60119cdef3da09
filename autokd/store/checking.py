"""What is wrong in a store: its file, versions, references, and rows that autokd did not write."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Engine, MetaData, Table, func, inspect, select

from autokd.errors import StoreError, StoreUnreachable
from autokd.store.migrations import current_version, newest_version
from autokd.store.store import Store
from autokd.text.quoting import counted

_JSON: Final = {
    "studies": {},
    "study_user_attributes": {"value_json": "study_id"},
    "study_system_attributes": {"value_json": "study_id"},
    "trial_user_attributes": {"value_json": "trial_id"},
    "trial_system_attributes": {"value_json": "trial_id"},
    "trial_params": {"distribution_json": "trial_id"},
    "autokd_federation": {"classes": "name"},
    "autokd_participant": {"histogram": "id"},
    "autokd_run_curve": {"rungs": "run_id"},
    "autokd_recommendation": {"payload": "study"},
    "autokd_driver": {"process": "token", "words": "token"},
    "autokd_job": {"request": "id", "owner": "id", "progress": "id", "result": "id"},
    "autokd_job_event": {"data": "job_id"},
    "autokd_audit": {"data": "id"},
}
"""Columns with JSON, and the column that says whose it is, by table."""
_MOST_OF_A_KIND: Final = 20


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is wrong in a store.

    Attributes:
        where: File, table or study.
        what: What is wrong, in words.
        way_out: What to do about it.
    """

    where: str
    what: str
    way_out: str


def problems(store: Store) -> Iterator[Problem]:
    """Yield all that is wrong; nothing is changed.

    Raises:
        StoreUnreachable: If the database does not answer.
    """
    engine = store.optuna_storage.engine
    yield from _of_the_file(engine)
    metadata = MetaData()
    metadata.reflect(engine, only=[name for name in inspect(engine).get_table_names() if _is_known(name)])
    for table in metadata.sorted_tables:
        yield from _broken_references(engine, table)
        yield from _broken_json(engine, table)
    yield from _unreadable_studies(store)


def _is_known(table: str) -> bool:
    return table.startswith(("autokd_", "stud", "trial"))


def _of_the_file(engine: Engine) -> Iterator[Problem]:
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            for (line,) in connection.exec_driver_sql("PRAGMA integrity_check"):
                if line != "ok":
                    yield Problem("file", str(line), "restore a backup: autokd store restore")
        version, newest = current_version(connection), newest_version()
        if version != newest:
            yield Problem("tables", f"they have version {version}, not {newest}", "run autokd status once")


def _broken_references(engine: Engine, table: Table) -> Iterator[Problem]:
    for key in table.foreign_keys:
        # A table that refers to itself needs another name for what it refers to.
        target = key.column.table.alias("target")
        own, other = key.parent, target.c[key.column.name]
        query = select(func.count()).select_from(table.outerjoin(target, own == other))
        with engine.connect() as connection:
            lost = connection.scalar(query.where(own.is_not(None), other.is_(None)))
        if lost:
            what = f"{lost} rows refer to rows of {key.column.table.name} that do not exist"
            yield Problem(table.name, what, "they are never read; restore a backup to have them whole")


def _broken_json(engine: Engine, table: Table) -> Iterator[Problem]:
    for column, of in _JSON.get(table.name, {}).items():
        broken = []
        with engine.connect() as connection:
            for owner, text in connection.execute(select(table.c[of], table.c[column])):
                if text is not None and not _is_json(text):
                    broken.append(str(owner))
        if broken:
            some = ", ".join(broken[:_MOST_OF_A_KIND])
            what = f"{counted(len(broken), 'value')} of {column} that are not JSON, those of {of} {some}"
            yield Problem(table.name, what, "see the pairs below, or restore a backup")


def _is_json(text: object) -> bool:
    if not isinstance(text, str | bytes):
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _unreadable_studies(store: Store) -> Iterator[Problem]:
    """Read everything as commands do."""
    for federation in store.federations():
        yield from _reading(f"federation {federation}", lambda name=federation: store.federation(name))
    for study in sorted(store.names()):
        for read in (store.trials, store.reports, store.runs, store.recommendation):
            problems = list(_reading(study, lambda read=read, name=study: read(name)))
            if problems:
                yield problems[0]
                break


def _reading(where: str, read: object) -> Iterator[Problem]:
    try:
        read()  # type: ignore[operator]
    except StoreUnreachable:
        raise
    except StoreError as error:
        way_out = "restore a backup, or delete that study in the dashboard and tune the pair again"
        yield Problem(where, str(error).partition("; restore")[0], way_out)
