"""Everything that was measured as one table, for a notebook or another tool."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from autokd.core.example_weights import ExampleWeights
from autokd.core.pair_records import PairRecords
from autokd.core.participant_names import NUMBERS_ONLY, ParticipantNames
from autokd.core.records import RunRecord, RunState, Stage, TrialRecord
from autokd.core.setting import AnyPair, LabelPrior, Pair, Split
from autokd.report.table_files import write_table

SEARCH: Final = "search"
"""Stage of a trial; other rows have a `Stage`."""
METADATA: Final = b"autokd"
"""Key of the file's metadata, which holds as JSON what is not a row."""
_SPLITS: Final = (Split.VALIDATION, Split.CONFIRMATION, Split.TEST)
SCHEMA: Final = pa.schema(
    [
        ("teacher", pa.int32()),
        ("student", pa.int32()),
        ("stage", pa.string()),
        ("temperature", pa.float64()),
        ("alpha", pa.float64()),
        ("transfer_set", pa.string()),
        ("method", pa.string()),
        ("learning_rate", pa.float64()),
        ("epochs", pa.int32()),
        ("batch_norm", pa.string()),
        ("seed", pa.int32()),
        ("state", pa.string()),
        ("epoch", pa.int32()),
        *((f"{split}_accuracy", pa.float64()) for split in _SPLITS),
        *((f"{split}_forgetting", pa.float64()) for split in _SPLITS),
        ("seconds", pa.float64()),
    ]
)
"""One row per pair, stage, setting, seed and rung. Accuracies are in [0, 1], on the target distribution of
the recipe (`target` in the metadata, if it is not `common`); forgetting is in pp. Both are null on a split
that the run did not use. `learning_rate`, `epochs` and `batch_norm` are null if they are the recipe's.
`seconds` is training time since the run began. A trial that ended before its first rung has one row, of epoch
0."""
OPTIONAL: Final = {"label_prior": LabelPrior.NONE, "schedule": None, "teachers": None, "candidates": None}
"""Columns of text after `batch_norm`, each if a run has another value than the one given here."""


def export(
    pairs: Iterable[PairRecords],
    path: Path,
    *,
    metadata: Mapping[str, Any],
    names: ParticipantNames = NUMBERS_ONLY,
) -> int:
    """Write the table with `metadata`, JSON values, in the format of the file; return the number of rows.

    If participants have names, the columns `teacher_name` and `student_name` stand beside their numbers.

    An existing file is replaced at the end, and kept if anything fails before.

    Raises:
        InputError: If the file cannot be written, or its ending names no format.
    """
    table_rows = [row for records in pairs for row in rows(records)]
    schema = SCHEMA.with_metadata({METADATA: json.dumps(metadata, sort_keys=True)})
    for name, usual in reversed(OPTIONAL.items()):
        if any(row.get(name, usual) != usual for row in table_rows):
            schema = schema.insert(schema.get_field_index("batch_norm") + 1, pa.field(name, pa.string()))
    for role in ("teacher", "student") if names else ():
        schema = schema.insert(schema.get_field_index("stage"), pa.field(f"{role}_name", pa.string()))
        for row in table_rows:
            row[f"{role}_name"] = None if row[role] is None else names.name(row[role]) or None
    table = pa.Table.from_pylist(table_rows, schema=schema)
    write_table(table, path)
    return int(table.num_rows)


def rows(records: PairRecords) -> Iterator[dict[str, Any]]:
    """Return the rows of one pair, in the columns of `SCHEMA` and `OPTIONAL`."""
    for trial in records.trials:
        key = _key(records.pair, SEARCH, trial)
        reports = records.reports.get(trial.number, ())
        for report in reports:
            yield {
                **key,
                "epoch": report.epoch,
                "validation_accuracy": report.accuracy,
                "validation_forgetting": report.forgetting,
                "seconds": report.seconds,
            }
        if not reports:
            yield {**key, "epoch": 0}
    for run in (*records.runs, *records.sweep_runs, *records.alternative_runs):
        key = _key(records.pair, run.stage.value, run)
        for rung in run.curve:
            yield {
                **key,
                "epoch": rung.epoch,
                **{f"{split}_accuracy": value for split, value in rung.accuracy.items()},
                **{f"{split}_forgetting": value for split, value in rung.forgetting.items()},
                "seconds": rung.seconds,
            }
        if not run.curve:
            yield {**key, "epoch": run.epochs, **_end(run, records.weights)}


def _key(pair: AnyPair, stage: str, record: TrialRecord | RunRecord) -> dict[str, Any]:
    place: dict[str, Any] = {"teacher": None, "student": pair.student, "stage": stage}
    if isinstance(pair, Pair):
        place["teacher"] = pair.teacher
    else:
        place["candidates"] = " ".join(map(str, pair.teachers))
    return {**place, **record.setting.values(), "seed": record.seed, "state": record.state.value}


def _end(run: RunRecord, weights: ExampleWeights) -> dict[str, Any]:
    """Return the result of a run without rung scores; a failed run has none."""
    if run.state is RunState.FAIL:
        return {}
    reported = Split.VALIDATION if run.stage is Stage.RACE else Split.TEST
    accuracies = {f"{split}_accuracy": run.accuracy(split, weights) for split in run.correct}
    return {**accuracies, f"{reported}_forgetting": run.forgetting, "seconds": run.seconds}
