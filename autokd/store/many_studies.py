"""The records of many studies with a few queries; Optuna reads one study at a time, with ten queries each.

A study that is not as autokd writes it is left out: whoever reads it by itself gets the error of that place.
What is kept is decoded by the functions that decode a study by itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Final, final

from optuna.distributions import BaseDistribution, json_to_distribution
from optuna.trial import FrozenTrial
from optuna.trial import TrialState as OptunaState
from sqlalchemy import Connection, Engine, Float, MetaData, Row, Table, select, type_coerce

from autokd.core.records import RunRecord, TrialRecord
from autokd.core.verdict_basis import VerdictBasis
from autokd.errors import StoreError, StoreUnreachable
from autokd.store import optuna_mapping
from autokd.store.db_errors import validated
from autokd.store.own_tables import OwnTables, grouped, payload_of
from autokd.store.retrying import OutageRetry
from autokd.store.stored_logits import ReadLogits
from autokd.store.trials import BASES

AT_ONCE: Final = 400
"""Studies of one query: databases take some ten thousand values, and memory holds all that it returns."""
_FINITE: Final = "FINITE"
_STUDIES: Final = ("studies", "study_user_attributes", "study_system_attributes", "trials")
_TRIALS: Final = {
    "trial_params": ("param_name", "param_value", "distribution_json"),
    "trial_user_attributes": ("key", "value_json"),
    "trial_system_attributes": ("key", "value_json"),
    "trial_intermediate_values": ("step", "intermediate_value", "intermediate_value_type"),
}
"""Columns that are read of a trial, by table."""
_NUMBERS: Final = ("param_value", "intermediate_value")

_Rows = Mapping[int, Sequence[Row[Any]]]
"""Rows by the number of their study or trial."""


@dataclass(frozen=True, slots=True)
class StudyRecords:
    """What the store has of a study; each field is what the method of `Store` of that name returns."""

    trials: tuple[TrialRecord, ...]
    runs: tuple[RunRecord, ...]
    attributes: Mapping[str, Any]
    bases: tuple[VerdictBasis, ...]
    recommendation: Mapping[str, Any] | None


@final
class ManyStudies:
    """Reads many studies of one database."""

    def __init__(self, engine: Engine, own: OwnTables, retry: OutageRetry, read_logits: ReadLogits) -> None:
        """Use `Store.many`."""
        self._engine = engine
        self._own = own
        self._retry = retry
        self._read_logits = read_logits

    @cached_property
    def _tables(self) -> Mapping[str, Table]:
        metadata = MetaData()
        metadata.reflect(self._engine, only=(*_STUDIES, *_TRIALS))
        return metadata.tables

    def read(self, names: Sequence[str]) -> Iterator[tuple[str, StudyRecords]]:
        """Yield the records of those studies that exist and can be read, with a few queries for hundreds."""
        for first in range(0, len(names), AT_ONCE):
            yield from self._retry.run(self._readable, names[first : first + AT_ONCE]).items()

    def _readable(self, names: Sequence[str]) -> dict[str, StudyRecords]:
        try:
            # A word that no column of its type holds ends the query already.
            with validated("its studies"):
                return self._records(names)
        except StoreUnreachable:
            raise
        except StoreError:
            return {}

    def _records(self, names: Sequence[str]) -> dict[str, StudyRecords]:
        with self._engine.connect() as connection:
            table = self._tables["studies"].c
            query = select(table.study_name, table.study_id).where(table.study_name.in_(names))
            studies = {row.study_name: row.study_id for row in connection.execute(query)}
            numbers = list(studies.values())
            attributes = self._attributes(connection, "study_user_attributes", numbers)
            # Others hold the dashboard's notes and figures, which are large.
            bases = self._attributes(connection, "study_system_attributes", numbers, key=BASES)
            trials = self._trials(connection, numbers)
            parts = {name: self._parts(connection, name, numbers) for name in _TRIALS}
        runs, recommendations = self._own.runs_of(names), self._own.texts_of_recommendations(names)
        records = {}
        for name, number in studies.items():
            try:
                with validated(f"study {name!r}"):
                    frozen = [_frozen(row, parts) for row in trials[number]]
                    text = recommendations.get(name)
                    records[name] = StudyRecords(
                        trials=tuple(optuna_mapping.record(name, trial) for trial in frozen),
                        runs=tuple(run.record(self._read_logits) for run in runs[name]),
                        attributes=_decoded(attributes[number]),
                        bases=tuple(map(VerdictBasis.from_json, _decoded(bases[number]).get(BASES, ()))),
                        recommendation=None if text is None else payload_of(text),
                    )
            except StoreError:
                continue
        return records

    def _attributes(
        self, connection: Connection, name: str, studies: Sequence[int], key: str | None = None
    ) -> _Rows:
        table = self._tables[name].c
        query = select(table.study_id, table.key, table.value_json).where(table.study_id.in_(studies))
        return grouped(connection.execute(query if key is None else query.where(table.key == key)))

    def _trials(self, connection: Connection, studies: Sequence[int]) -> _Rows:
        table = self._tables["trials"].c
        query = select(table.study_id, table.trial_id, table.number, table.state)
        return grouped(connection.execute(query.where(table.study_id.in_(studies)).order_by(table.number)))

    def _parts(self, connection: Connection, name: str, studies: Sequence[int]) -> _Rows:
        """Return the rows of one table by trial; it is read after the trials, which may be at work."""
        table, trials = self._tables[name], self._tables["trials"]
        # NOTE: a DOUBLE that SQLAlchemy finds in MariaDB would come as a rounded Decimal.
        columns = [
            type_coerce(column, Float).label(column.name) if column.name in _NUMBERS else column
            for column in (table.c[column] for column in _TRIALS[name])
        ]
        query = select(table.c.trial_id, *columns)
        query = query.join(trials, trials.c.trial_id == table.c.trial_id)
        return grouped(connection.execute(query.where(trials.c.study_id.in_(studies))))


def _decoded(rows: Sequence[Row[Any]]) -> dict[str, Any]:
    return {row.key: json.loads(row.value_json) for row in rows}


def _frozen(row: Row[Any], parts: Mapping[str, _Rows]) -> FrozenTrial:
    """Return a trial as Optuna reads it, without its value and times, which a record does not need."""
    params, user, system, curve = (parts[name][row.trial_id] for name in _TRIALS)
    if any(each.intermediate_value_type != _FINITE for each in curve):
        raise ValueError("an accuracy that is no finite number")
    distributions = {each.param_name: _distribution(each.distribution_json) for each in params}
    return FrozenTrial(
        number=row.number,
        state=OptunaState[row.state],
        value=None,
        datetime_start=None,
        datetime_complete=None,
        params={
            each.param_name: distributions[each.param_name].to_external_repr(each.param_value)
            for each in params
        },
        distributions=distributions,
        user_attrs=_decoded(user),
        system_attrs=_decoded(system),
        intermediate_values={each.step: each.intermediate_value for each in curve},
        trial_id=row.trial_id,
    )


@lru_cache(maxsize=1024)
def _distribution(text: str) -> BaseDistribution:
    """Return a distribution; those of one space have the same texts."""
    return json_to_distribution(text)
