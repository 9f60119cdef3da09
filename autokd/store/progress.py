"""What is written of a trial while it runs and when it ends: one transaction each, into Optuna's own tables.

Optuna's storage writes a rung's value, its attribute, and each word of an end in transactions of their own,
which reads half of it back before; with thousands of trials that was most of what the driver did. The tables
are those of the version that `autokd.store.database` insists on. Everything else goes through Optuna.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any, Final, final

from sqlalchemy import Engine, MetaData, Table, delete, insert, update
from sqlalchemy.exc import IntegrityError

from autokd.records import RungReport, TrialState
from autokd.store import mapping

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
class ProgressWriter:
    """Writes to trials, by Optuna's numbers of them."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @cached_property
    def _tables(self) -> Mapping[str, Table]:
        found = MetaData()
        found.reflect(self._engine, only=("trials", *_KEYS))
        return found.tables

    def report(self, trial: int, report: RungReport) -> bool:
        """Keep one rung, in place of what was kept of it before; False if the trial is not running."""
        key, details = mapping.details(report)
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
            {"state": state.value, "datetime_complete": datetime.now()},
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


def _attribute(key: str, word: Any) -> _Row:
    return {"key": key, "value_json": json.dumps(word)}
