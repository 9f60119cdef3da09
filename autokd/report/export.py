"""Everything that was measured as one Parquet table, for a notebook or another tool."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
from pyarrow import parquet

from autokd.core.records import RungReport, RunRecord, RunState, Stage, TrialRecord
from autokd.core.setting import Pair, Setting, Split
from autokd.errors import InputError

SEARCH: Final = "search"
"""The stage of a trial; other rows have a `Stage`."""
METADATA: Final = b"autokd"
"""Under this key the file's metadata hold what is not a row, as JSON."""
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
"""One row per pair, stage, setting, seed and rung. Accuracies are in [0, 1], forgetting in pp; both are null
on a split that the run did not look at. `learning_rate`, `epochs` and `batch_norm` are null where they are
the recipe's. `seconds` is training time since the run began. A run that failed has
one row, of epoch 0, unless it had reported before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """All that the store has of one pair.

    Attributes:
        reports: What each trial reported, by its number.
        runs: Of the search, and of the sweep.
    """

    pair: Pair
    trials: Sequence[TrialRecord]
    reports: Mapping[int, Sequence[RungReport]]
    runs: Sequence[RunRecord]


def export(measured: Iterable[Measured], path: Path, *, metadata: Mapping[str, Any]) -> int:
    """Write the table; a file that is there is replaced at the end, and kept if anything fails before.

    Args:
        metadata: JSON values that stand in the file beside the table.

    Returns:
        Rows written.

    Raises:
        InputError: If the file cannot be written.
    """
    found = [row for one in measured for row in rows(one)]
    table = pa.Table.from_pylist(found, schema=SCHEMA).replace_schema_metadata(
        {METADATA: json.dumps(metadata, sort_keys=True)}
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # NOTE: not a temporary file, which nobody else might read.
        scratch = path.parent / f".{path.name}.{os.getpid()}"
        try:
            parquet.write_table(table, scratch, compression="zstd")
            scratch.replace(path)
        finally:
            scratch.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"--out {path}: cannot be written ({error.strerror or error})") from error
    return len(found)


def rows(measured: Measured) -> Iterator[dict[str, Any]]:
    """The rows of one pair, as `SCHEMA` has them."""
    for trial in measured.trials:
        key = _key(measured.pair, SEARCH, trial.setting, trial.seed, trial.state.value)
        reports = measured.reports.get(trial.number, ())
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
    for run in measured.runs:
        key = _key(measured.pair, run.stage.value, run.setting, run.seed, run.state.value)
        for rung in run.curve:
            yield {
                **key,
                "epoch": rung.epoch,
                **{f"{split}_accuracy": value for split, value in rung.accuracy.items()},
                **{f"{split}_forgetting": value for split, value in rung.forgetting.items()},
                "seconds": rung.seconds,
            }
        if not run.curve:
            yield {**key, "epoch": run.epochs, **_end(run)}


def _key(pair: Pair, stage: str, setting: Setting, seed: int, state: str) -> dict[str, Any]:
    return {
        "teacher": pair.teacher,
        "student": pair.student,
        "stage": stage,
        **setting.values(),
        "seed": seed,
        "state": state,
    }


def _end(run: RunRecord) -> dict[str, Any]:
    """A run that is known by its end only; of one that failed nothing was measured."""
    if run.state is RunState.FAIL:
        return {}
    reported = Split.VALIDATION if run.stage is Stage.RACE else Split.TEST
    accuracies = {f"{split}_accuracy": run.accuracy(split) for split in run.correct}
    return {**accuracies, f"{reported}_forgetting": run.forgetting, "seconds": run.seconds}
