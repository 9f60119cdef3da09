"""What a store holds: each study with its size, dates and verdict; and how studies are deleted."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Connection, MetaData, Table, delete, func, inspect, select, type_coerce
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.types import NullType

from autokd.store.db_errors import translate_errors
from autokd.store.store import Store
from autokd.store.tables import (
    FederationRow,
    ParticipantCorrectRow,
    ParticipantRow,
    RecommendationRow,
    RunCorrectRow,
    RunCurveRow,
    RunLogitsRow,
    RunRow,
    SplitRow,
)

_OPTUNA: Final = ("stud", "trial")
"""What the names of Optuna's tables begin with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredStudy:
    """One study, or a name under which there are runs but no study.

    Attributes:
        trials: Number of its trials, in every state.
        runs: Number of its race, confirmation, sweep or other runs.
        verdict: Verdict of the stored recommendation; None without one.
        began, ended: Start of its first trial and end of the last one so far; None without such a trial.
    """

    name: str
    trials: int = 0
    runs: int = 0
    verdict: str | None = None
    began: datetime | None = None
    ended: datetime | None = None


def stored_studies(store: Store) -> tuple[StoredStudy, ...]:
    """Return all studies by name; those of other programs in the same database are left out."""
    stored = {name: StoredStudy(name=name) for name in store.names()}
    with _connected(store) as connection:
        tables = _optuna_tables(connection)
        studies, trials = tables["studies"], tables["trials"]
        # As the driver of the database returns them: SQLAlchemy's own reading ends at the first odd one.
        times = (
            type_coerce(time, NullType)
            for time in (func.min(trials.c.datetime_start), func.max(trials.c.datetime_complete))
        )
        query = select(studies.c.study_name, func.count(), *times).join(
            trials, trials.c.study_id == studies.c.study_id
        )
        for name, count, began, ended in connection.execute(query.group_by(studies.c.study_name)):
            if name in stored:
                stored[name] = replace(stored[name], trials=count, began=_utc(began), ended=_utc(ended))
        runs = select(RunRow.study, func.count()).group_by(RunRow.study)
        for name, count in connection.execute(runs):
            if name in stored:
                stored[name] = replace(stored[name], runs=count)
        for name, payload in connection.execute(select(RecommendationRow.study, RecommendationRow.payload)):
            if name in stored:
                stored[name] = replace(stored[name], verdict=_verdict(payload))
    return tuple(stored[name] for name in sorted(stored))


def trained_epochs(store: Store) -> int:
    """Return the epochs of all trials and runs; of a trial they end with its last report."""
    names = set(store.names())
    with _connected(store) as connection:
        tables = _optuna_tables(connection)
        studies, trials, values = (
            tables[name] for name in ("studies", "trials", "trial_intermediate_values")
        )
        last = (
            select(trials.c.study_id, func.max(values.c.step).label("epochs"))
            .join(values, values.c.trial_id == trials.c.trial_id)
            .group_by(trials.c.trial_id, trials.c.study_id)
            .subquery()
        )
        of_trials = select(studies.c.study_name, func.sum(last.c.epochs)).join(
            last, last.c.study_id == studies.c.study_id
        )
        of_runs = select(RunRow.study, func.sum(RunRow.epochs))
        rows = [
            *connection.execute(of_trials.group_by(studies.c.study_name)),
            *connection.execute(of_runs.group_by(RunRow.study)),
        ]
    return sum(int(epochs or 0) for name, epochs in rows if name in names)


def delete_studies(store: Store, names: Collection[str]) -> None:
    """Delete studies with trials, runs and recommendations; each is deleted as a whole, or not at all.

    The caller holds a lease on all of them. A name that is not there is no error.

    Raises:
        LeaseLost: If another driver has taken over; what is deleted stays so.
    """
    for name in sorted(names):
        with _connected(store, write=True) as connection:
            tables = _optuna_tables(connection)
            study = select(tables["studies"].c.study_id).where(tables["studies"].c.study_name == name)
            trials = tables["trials"]
            # Read before, since MySQL deletes from no table that the same statement reads.
            number = connection.scalar(study)
            of_trials = select(trials.c.trial_id).where(trials.c.study_id == number)
            for table in tables.values():
                if "trial_id" in table.c and table is not trials:
                    connection.execute(delete(table).where(table.c.trial_id.in_(of_trials)))
            for table in (trials, *(table for table in tables.values() if table is not trials)):
                if "study_id" in table.c and table is not tables["studies"]:
                    connection.execute(delete(table).where(table.c.study_id == number))
            connection.execute(delete(tables["studies"]).where(tables["studies"].c.study_id == number))
            runs = select(RunRow.id).where(RunRow.study == name)
            for row in (RunLogitsRow, RunCorrectRow, RunCurveRow):
                connection.execute(delete(row).where(row.run_id.in_(runs)))
            connection.execute(delete(RunRow).where(RunRow.study == name))
            connection.execute(delete(RecommendationRow).where(RecommendationRow.study == name))
        store.evict(name)


def delete_federation(store: Store, name: str) -> None:
    """Delete what the store has of a federation, of which it has no study; no error if that is nothing."""
    with _connected(store, write=True) as connection:
        (number,) = [*connection.scalars(select(FederationRow.id).where(FederationRow.name == name)), None][
            :1
        ]
        participants = select(ParticipantRow.id).where(ParticipantRow.federation_id == number)
        correct = ParticipantCorrectRow.participant_id.in_(participants)
        connection.execute(delete(ParticipantCorrectRow).where(correct))
        connection.execute(delete(ParticipantRow).where(ParticipantRow.federation_id == number))
        connection.execute(delete(SplitRow).where(SplitRow.federation_id == number))
        connection.execute(delete(FederationRow).where(FederationRow.id == number))


def free_space(store: Store) -> None:
    """Give the space of deleted rows back to the disk, as far as SQLite lets us; a server does so itself."""
    engine = store.optuna_storage.engine
    if engine.dialect.name == "sqlite":
        # Somebody else may be reading; then the file stays as large as it is and the space is used again.
        with suppress(SQLAlchemyError), engine.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql("VACUUM")


@contextmanager
def _connected(store: Store, *, write: bool = False) -> Iterator[Connection]:
    engine = store.optuna_storage.engine
    with translate_errors(engine.url), engine.begin() if write else engine.connect() as connection:
        yield connection


def _optuna_tables(connection: Connection) -> Mapping[str, Table]:
    metadata = MetaData()
    known = [name for name in inspect(connection).get_table_names() if name.startswith(_OPTUNA)]
    metadata.reflect(connection, only=known)
    return metadata.tables


def _utc(time: Any) -> datetime | None:
    if isinstance(time, str):  # SQLite keeps texts.
        try:
            time = datetime.fromisoformat(time)
        except ValueError:
            return None
    # NOTE: Optuna's columns have no time zone; autokd writes UTC into them.
    return time.replace(tzinfo=UTC) if isinstance(time, datetime) else None


def _verdict(payload: str) -> str | None:
    try:
        verdict = json.loads(payload)["verdict"]
    except (ValueError, LookupError, TypeError):
        return None
    return verdict if isinstance(verdict, str) else None
