"""Writes the beginning, each rung and the end of a trial, one short transaction each, into Optuna's tables.

Optuna's storage writes each parameter, attribute and value in a transaction of its own, after reading; with
thousands of trials that took most of the driver's time. The tables are of the version that
`autokd.store.database` requires. Everything else goes through Optuna.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Final, final

from optuna.distributions import (
    BaseDistribution,
    check_distribution_compatibility,
    distribution_to_json,
    json_to_distribution,
)
from optuna.trial import FrozenTrial
from sqlalchemy import Engine, MetaData, Table, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from autokd.core.records import RungReport, TrialState
from autokd.store import optuna_mapping

_Row = Mapping[str, Any]
_Rows = Sequence[tuple[str, _Row]]

_CURVE: Final = "trial_intermediate_values"
_VALUES: Final = "trial_values"
_USER: Final = "trial_user_attributes"
_SYSTEM: Final = "trial_system_attributes"
_KEYS: Final = {_CURVE: "step", _VALUES: "objective", _USER: "key", _SYSTEM: "key"}
"""Column that distinguishes the rows of a trial, by table."""
_FINITE: Final = "FINITE"
"""Optuna's type of every value that is written here."""


@final
class TrialWriter:
    """Writes trials; trials and studies are given by Optuna's ids."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._accepted: set[tuple[int, str, str]] = set()

    @cached_property
    def _tables(self) -> Mapping[str, Table]:
        metadata = MetaData()
        only = ("studies", "study_system_attributes", "trials", "trial_params", *_KEYS)
        metadata.reflect(self._engine, only=only)
        return metadata.tables

    def names_of_studies(self, key: str) -> tuple[str, ...]:
        """Return the sorted names of all studies that have a system attribute of this key.

        Optuna's own list of studies comes with all attributes, in which notes and figures are.
        """
        studies, attributes = self._tables["studies"], self._tables["study_system_attributes"]
        marked = select(studies.c.study_name).join(attributes).where(attributes.c.key == key)
        with self._engine.connect() as connection:
            return tuple(sorted(connection.scalars(marked)))

    def begin(self, study: int, trial: FrozenTrial) -> tuple[int, int]:
        """Add a RUNNING trial (see `optuna_mapping.running`); return Optuna's id and the number in its study.

        Raises:
            KeyError: If there is no such study.
            ValueError: If the study has a parameter of that name with an incompatible distribution.
        """
        studies, trials = self._tables["studies"], self._tables["trials"]
        params = [
            {
                "param_name": name,
                "distribution_json": self._accept(study, name, distribution),
                "param_value": distribution.to_internal_repr(trial.params[name]),
            }
            for name, distribution in trial.distributions.items()
        ]
        attributes = [_attribute(key, value) for key, value in trial.user_attrs.items()]
        with self._engine.begin() as connection:
            # Locks the study, so that no number is given twice.
            same = update(studies).where(studies.c.study_id == study).values(study_id=study)
            if connection.execute(same).rowcount != 1:
                raise KeyError(study)
            count = select(func.count()).where(trials.c.study_id == study)
            number = connection.execute(count).scalar_one()
            row = {"number": number, "study_id": study, "state": trial.state.name, "datetime_start": _now()}
            key = connection.execute(insert(trials).values(row)).inserted_primary_key
            assert key is not None
            for table, rows in (("trial_params", params), (_USER, attributes)):
                if rows:
                    inserted = [{"trial_id": key[0], **row} for row in rows]
                    connection.execute(insert(self._tables[table]).inline(), inserted)
        return key[0], number

    def report(self, trial: int, report: RungReport) -> bool:
        """Write one rung, in place of an earlier report of it; return False if the trial is not running."""
        step, accuracy = report.epoch, report.accuracy
        value = {"step": step, "intermediate_value": accuracy, "intermediate_value_type": _FINITE}
        rows = [(_CURVE, value), (_SYSTEM, _attribute(*optuna_mapping.details(report)))]
        # Writing the same state locks the row, so that nobody ends the trial meanwhile.
        return self._write(trial, {"state": TrialState.RUNNING.value}, rows)

    def end(self, trial: int, state: TrialState, value: float | None, attributes: Mapping[str, Any]) -> bool:
        """End a trial and add user attributes; return False if it is not running."""
        rows = [(_USER, _attribute(key, value)) for key, value in attributes.items()]
        if value is not None:
            rows.append((_VALUES, {"objective": 0, "value": value, "value_type": _FINITE}))
        return self._write(trial, {"state": state.value, "datetime_complete": _now()}, rows)

    def _write(self, trial: int, change: _Row, rows: _Rows, *, replace: bool = False) -> bool:
        trials = self._tables["trials"]
        running = trials.c.trial_id == trial, trials.c.state == TrialState.RUNNING.value
        try:
            with self._engine.begin() as connection:
                if connection.execute(update(trials).where(*running).values(change)).rowcount != 1:
                    return False
                for name, row in rows:
                    table, key = self._tables[name], _KEYS[name]
                    if replace:
                        same = table.c.trial_id == trial, table.c[key] == row[key]
                        connection.execute(delete(table).where(*same))
                    connection.execute(insert(table).inline(), {"trial_id": trial, **row})
        except IntegrityError:
            if replace:
                raise
            # Some rows exist: this was written before, or an older version was killed between its writes.
            return self._write(trial, change, rows, replace=True)
        return True

    def _accept(self, study: int, name: str, distribution: BaseDistribution) -> str:
        """Return a distribution as JSON; raise ValueError if earlier trials had an incompatible one."""
        text = distribution_to_json(distribution)
        if (study, name, text) not in self._accepted:
            trials, params = self._tables["trials"], self._tables["trial_params"]
            of_study = params.c.trial_id == trials.c.trial_id, trials.c.study_id == study
            query = select(params.c.distribution_json).where(*of_study, params.c.param_name == name).limit(1)
            with self._engine.connect() as connection:
                earlier = connection.execute(query).scalar()
            if earlier is not None:
                check_distribution_compatibility(json_to_distribution(earlier), distribution)
            self._accepted.add((study, name, text))
        return text


def _attribute(key: str, value: Any) -> _Row:
    return {"key": key, "value_json": json.dumps(value)}


def _now() -> datetime:
    """Return the time as Optuna stores it: in UTC, without a time zone."""
    return datetime.now(UTC).replace(tzinfo=None)
