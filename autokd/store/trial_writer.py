"""What is written of a trial: its beginning, each rung and its end, one short transaction each.

Optuna's storage writes each parameter, attribute and value by itself and reads back what is there before;
with thousands of trials that was most of what the driver did. So these go straight into Optuna's tables,
which are of the version that `autokd.store.database` insists on. Everything else goes through Optuna.
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

_CURVE: Final = "trial_intermediate_values"
_VALUES: Final = "trial_values"
_USER: Final = "trial_user_attributes"
_SYSTEM: Final = "trial_system_attributes"
_KEYS: Final = {_CURVE: "step", _VALUES: "objective", _USER: "key", _SYSTEM: "key"}
"""What tells the rows of a trial apart."""
_FINITE: Final = "FINITE"
"""Optuna's kind of every value that is written here."""


@final
class TrialWriter:
    """Writes to trials, by Optuna's numbers of them and of their studies."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._accepted: set[tuple[int, str, str]] = set()

    @cached_property
    def _tables(self) -> Mapping[str, Table]:
        found = MetaData()
        found.reflect(self._engine, only=("studies", "trials", "trial_params", *_KEYS))
        return found.tables

    def count(self, study: int) -> int:
        """Return the number of a study's trials."""
        query = select(func.count()).where(self._tables["trials"].c.study_id == study)
        with self._engine.connect() as connection:
            return connection.execute(query).scalar_one()

    def begin(self, study: int, trial: FrozenTrial) -> tuple[int, int]:
        """Add a RUNNING trial.

        Args:
            study: Optuna's number of it.
            trial: As `optuna_mapping.running` makes it.

        Returns:
            Optuna's number of the trial, and its number within the study.

        Raises:
            KeyError: If there is no such study.
            ValueError: If the study has a parameter of that name from another kind of distribution.
        """
        studies, trials = self._tables["studies"], self._tables["trials"]
        params = [
            (name, self._accept(study, name, one), one.to_internal_repr(trial.params[name]))
            for name, one in trial.distributions.items()
        ]
        mine = trials.c.study_id == study
        with self._engine.begin() as connection:
            # Locks the study, so that no number is given twice.
            same = update(studies).where(studies.c.study_id == study).values(study_id=study)
            if connection.execute(same).rowcount != 1:
                raise KeyError(study)
            number = connection.execute(select(func.count()).where(mine)).scalar_one()
            row = {"number": number, "study_id": study, "state": trial.state.name, "datetime_start": _now()}
            added = connection.execute(insert(trials).values(row)).inserted_primary_key
            assert added is not None
            found: int = added[0]
            if params:
                connection.execute(
                    insert(self._tables["trial_params"]).inline(),
                    [
                        {
                            "trial_id": found,
                            "param_name": name,
                            "distribution_json": one,
                            "param_value": value,
                        }
                        for name, one, value in params
                    ],
                )
            connection.execute(
                insert(self._tables[_USER]).inline(),
                [{"trial_id": found, **_attribute(key, word)} for key, word in trial.user_attrs.items()],
            )
        return found, number

    def report(self, trial: int, report: RungReport) -> bool:
        """Keep one rung, in place of what was kept of it before; False if the trial is not running."""
        key, details = optuna_mapping.details(report)
        value = {
            "step": report.epoch,
            "intermediate_value": report.accuracy,
            "intermediate_value_type": _FINITE,
        }
        # To write the state that it has locks the row, so that nobody ends the trial meanwhile.
        return self._write(
            trial,
            {"state": TrialState.RUNNING.value},
            {_CURVE: [value], _SYSTEM: [_attribute(key, details)]},
        )

    def end(self, trial: int, state: TrialState, value: float | None, attributes: Mapping[str, Any]) -> bool:
        """End a trial with its user attributes; False if it is not running."""
        reached = [] if value is None else [{"objective": 0, "value": value, "value_type": _FINITE}]
        return self._write(
            trial,
            {"state": state.value, "datetime_complete": _now()},
            {_VALUES: reached, _USER: [_attribute(key, word) for key, word in attributes.items()]},
        )

    def _write(self, trial: int, change: _Row, rows: Mapping[str, Sequence[_Row]]) -> bool:
        try:
            return self._written(trial, change, rows, again=False)
        except IntegrityError:
            # Some of them are there: this was written before, or another version was cut off half-way.
            return self._written(trial, change, rows, again=True)

    def _written(self, trial: int, change: _Row, rows: Mapping[str, Sequence[_Row]], *, again: bool) -> bool:
        trials = self._tables["trials"]
        running = trials.c.trial_id == trial, trials.c.state == TrialState.RUNNING.value
        with self._engine.begin() as connection:
            if connection.execute(update(trials).where(*running).values(change)).rowcount != 1:
                return False
            for name, some in rows.items():
                table, key = self._tables[name], _KEYS[name]
                for row in some:
                    if again:
                        same = table.c.trial_id == trial, table.c[key] == row[key]
                        connection.execute(delete(table).where(*same))
                    connection.execute(insert(table).inline(), {"trial_id": trial, **row})
        return True

    def _accept(self, study: int, name: str, distribution: BaseDistribution) -> str:
        """A distribution as Optuna writes it, once it is known to fit those before; looked up once each."""
        text = distribution_to_json(distribution)
        if (study, name, text) not in self._accepted:
            trials, params = self._tables["trials"], self._tables["trial_params"]
            of_study = params.c.trial_id == trials.c.trial_id, trials.c.study_id == study
            query = select(params.c.distribution_json).where(*of_study, params.c.param_name == name).limit(1)
            with self._engine.connect() as connection:
                before = connection.execute(query).scalar()
            if before is not None:
                check_distribution_compatibility(json_to_distribution(before), distribution)
            self._accepted.add((study, name, text))
        return text


def _attribute(key: str, word: Any) -> _Row:
    return {"key": key, "value_json": json.dumps(word)}


def _now() -> datetime:
    """As Optuna keeps times: of UTC, without saying so."""
    return datetime.now(UTC).replace(tzinfo=None)
