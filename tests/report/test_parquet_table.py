from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyarrow import parquet

from autokd.core.pair_records import PairRecords
from autokd.core.records import Failure, RungReport, RungScores, RunRecord, RunState, Stage
from autokd.core.setting import DEFAULT, LabelPrior, Schedule, Split
from autokd.errors import InputError
from autokd.report.parquet_table import METADATA, SCHEMA, export, rows
from tests.recommendation.samples import confirmation_run, failed_run, race_run
from tests.report.samples import BASELINE, DIED, HOT, PAIR, PUBLIC, STOPPED

KEY = ("stage", "temperature", "alpha", "transfer_set", "seed", "state", "epoch")
FIGURES = tuple(name for name in SCHEMA.names if name.endswith(("_accuracy", "_forgetting")))
SWEPT = RunRecord(
    stage=Stage.SWEEP,
    setting=PUBLIC,
    seed=1,
    state=RunState.COMPLETE,
    correct={split: np.ones(4, dtype=bool) for split in Split},
    epochs=10,
    seconds=2.0,
    curve=tuple(
        RungScores(
            epoch=epoch,
            accuracy={Split.VALIDATION: at, Split.CONFIRMATION: at + 0.1, Split.TEST: at + 0.2},
            forgetting={Split.VALIDATION: -at, Split.CONFIRMATION: -at - 1, Split.TEST: -at - 2},
            seconds=epoch / 5,
        )
        for epoch, at in ((5, 0.25), (10, 0.5))
    ),
)


def reported(epoch: int, accuracy: float) -> RungReport:
    return RungReport(
        epoch=epoch,
        accuracy=accuracy,
        forgetting=-1.5,
        local_accuracy=0.0,
        soft_loss=0.0,
        hard_loss=None,
        seconds=epoch / 10,
    )


def measured(*trials: Any, runs: Any = ()) -> PairRecords:
    reports = {trial.number: [reported(*rung) for rung in trial.curve] for trial in trials}
    return PairRecords(pair=PAIR, study="s", trials=trials, reports=reports, runs=runs)


def keys_of(pair: PairRecords) -> list[tuple[Any, ...]]:
    return [tuple(row[name] for name in KEY) for row in rows(pair)]


def figures(row: dict[str, Any]) -> dict[str, float]:
    return {name: row[name] for name in FIGURES if row.get(name) is not None}


def metadata(file: Path) -> object:
    return json.loads(parquet.read_schema(file).metadata[METADATA])


def names(folder: Path) -> set[str]:
    return {entry.name for entry in folder.iterdir()}


@pytest.fixture
def everything() -> PairRecords:
    right = {Split.CONFIRMATION: [True, False], Split.TEST: [True, True, True, False]}
    runs = [race_run(HOT, 0, right=6), confirmation_run(HOT, 0, right, forgetting=2.5), SWEPT]
    return measured(BASELINE, STOPPED, DIED, runs=runs)


def test_a_trial_has_a_row_for_each_rung_with_what_it_saw_on_validation() -> None:
    assert keys_of(measured(BASELINE, STOPPED)) == [
        ("search", 1.0, 0.5, "student", 0, "COMPLETE", 3),
        ("search", 1.0, 0.5, "student", 0, "COMPLETE", 10),
        ("search", 8.0, None, "public", 0, "PRUNED", 3),
    ]
    first, last, _ = rows(measured(BASELINE, STOPPED))
    assert (first["teacher"], first["student"]) == (0, 1)
    assert figures(last) == {"validation_accuracy": 0.55, "validation_forgetting": -1.5}
    assert last["seconds"] == 1.0


def test_a_race_run_has_its_end_on_validation() -> None:
    (row,) = rows(measured(runs=[race_run(HOT, 1, right=6)]))
    assert [row[name] for name in KEY] == ["race", 4.0, 0.1, "both", 1001, "COMPLETE", 10]
    assert figures(row) == {"validation_accuracy": 0.6, "validation_forgetting": 0.0}


def test_a_confirmation_run_has_its_end_on_confirmation_and_test() -> None:
    right = {Split.CONFIRMATION: [True, False], Split.TEST: [True, True, True, False]}
    (row,) = rows(measured(runs=[confirmation_run(DEFAULT, 0, right, forgetting=2.5)]))
    assert [row[name] for name in KEY] == ["confirmation", 1.0, 0.5, "student", 2000, "COMPLETE", 10]
    # Forgetting is known on the split that is reported, and on no other.
    assert figures(row) == {"confirmation_accuracy": 0.5, "test_accuracy": 0.75, "test_forgetting": 2.5}


def test_a_swept_run_has_every_split_at_every_rung() -> None:
    assert keys_of(measured(runs=[SWEPT])) == [
        ("sweep", 8.0, None, "public", 1, "COMPLETE", 5),
        ("sweep", 8.0, None, "public", 1, "COMPLETE", 10),
    ]
    first, last = rows(measured(runs=[SWEPT]))
    assert figures(first) == {
        "validation_accuracy": 0.25,
        "confirmation_accuracy": 0.35,
        "test_accuracy": 0.45,
        "validation_forgetting": -0.25,
        "confirmation_forgetting": -1.25,
        "test_forgetting": -2.25,
    }
    assert (first["seconds"], last["seconds"]) == (1.0, 2.0)


@pytest.mark.parametrize("stage", Stage)
def test_a_run_that_failed_has_one_row_without_figures(stage: Stage) -> None:
    (row,) = rows(measured(runs=[failed_run(HOT, 0, Failure.OUT_OF_MEMORY, stage)]))
    assert (row["stage"], row["state"], row["epoch"]) == (stage, "FAIL", 0)
    assert figures(row) == {}
    assert row.get("seconds") is None


def test_a_trial_that_failed_keeps_what_it_had_reported() -> None:
    assert [row[-2:] for row in keys_of(measured(DIED))] == [("FAIL", 0)]
    (nothing,) = rows(measured(DIED))
    assert figures(nothing) == {}
    late = replace(measured(DIED), reports={DIED.number: [reported(3, 0.25)]})
    assert [row[-2:] for row in keys_of(late)] == [("FAIL", 3)]


def test_what_is_written_is_what_is_read(everything: PairRecords, tmp_path: Path) -> None:
    file = tmp_path / "new" / "table.parquet"
    description = {"federation": "digits-1a2b3c4d", "pairs": {"0->1": {"overlap": 1 / 3}}}
    count = export([everything, measured(runs=[SWEPT])], file, metadata=description)
    table = parquet.read_table(file)
    assert table.schema.equals(SCHEMA)
    assert table.num_rows == count == 10
    nothing = dict.fromkeys(SCHEMA.names)
    read = [row for records in (everything, measured(runs=[SWEPT])) for row in rows(records)]
    assert {(row.pop("label_prior"), row.pop("schedule")) for row in read} == {("none", None)}
    assert table.to_pylist() == [nothing | row for row in read]
    assert metadata(file) == description


def test_label_priors_have_a_column_where_they_were_searched(tmp_path: Path) -> None:
    adjusted = replace(SWEPT, setting=replace(DEFAULT, label_prior=LabelPrior.ADJUSTED))
    export([measured(runs=[SWEPT, adjusted])], tmp_path / "table.parquet", metadata={})
    table = parquet.read_table(tmp_path / "table.parquet")
    place = SCHEMA.names.index("seed")
    assert table.schema.names == [*SCHEMA.names[:place], "label_prior", *SCHEMA.names[place:]]
    assert table["label_prior"].to_pylist() == ["none"] * 2 + ["adjusted"] * 2


def test_so_have_schedules(tmp_path: Path) -> None:
    falling = replace(SWEPT, setting=replace(DEFAULT, schedule=Schedule.COSINE))
    adjusted = replace(SWEPT, setting=replace(DEFAULT, label_prior=LabelPrior.ADJUSTED))
    export([measured(runs=[SWEPT, falling, adjusted])], tmp_path / "table.parquet", metadata={})
    table = parquet.read_table(tmp_path / "table.parquet")
    place = SCHEMA.names.index("seed")
    assert table.schema.names == [*SCHEMA.names[:place], "label_prior", "schedule", *SCHEMA.names[place:]]
    assert table["schedule"].to_pylist() == [None] * 2 + ["cosine"] * 2 + [None] * 2


def test_the_file_may_be_read_by_others_only_if_it_was_opened_to_them(
    everything: PairRecords, tmp_path: Path
) -> None:
    file = tmp_path / "table.parquet"
    export([everything], file, metadata={})
    assert file.stat().st_mode & 0o777 == 0o600
    file.chmod(0o644)
    export([everything], file, metadata={})
    assert file.stat().st_mode & 0o777 == 0o644


def test_a_table_that_is_there_is_replaced(everything: PairRecords, tmp_path: Path) -> None:
    file = tmp_path / "table.parquet"
    export([everything], file, metadata={"number": 1})
    export([], file, metadata={"number": 2})
    assert parquet.read_table(file).num_rows == 0
    assert metadata(file) == {"number": 2}
    assert names(tmp_path) == {"table.parquet"}


def test_a_table_that_is_there_is_kept_if_the_new_one_fails(
    everything: PairRecords, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "table.parquet"
    export([everything], file, metadata={"number": 1})
    before = file.read_bytes()

    def full(table: object, where: str, **options: object) -> None:
        Path(where).write_bytes(b"PAR1")
        raise OSError(28, "No space left on device")

    def broken() -> Iterator[PairRecords]:
        yield everything
        raise RuntimeError("the store is gone")

    with pytest.raises(RuntimeError, match="the store is gone"):
        export(broken(), file, metadata={"number": 2})
    monkeypatch.setattr(parquet, "write_table", full)
    with pytest.raises(InputError, match=r"^--out .*table\.parquet: .*No space left on device"):
        export([everything], file, metadata={"number": 2})
    assert file.read_bytes() == before
    assert names(tmp_path) == {"table.parquet"}


@pytest.mark.parametrize("where", ["folder.parquet", "file/table.parquet", "/dev/null/table.parquet"])
def test_a_table_that_cannot_be_written_is_a_clear_error(
    everything: PairRecords, tmp_path: Path, where: str
) -> None:
    (tmp_path / "folder.parquet").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=f"^--out .*{where}: cannot be written "):
        export([everything], tmp_path / where, metadata={})
    assert names(tmp_path) == {"file", "folder.parquet"}
