"""Tables as files: the ending decides the format, and each is read back by the library of its readers."""

from __future__ import annotations

import csv
import hashlib
import json
from pathlib import Path

import openpyxl
import pyarrow as pa
import pytest
from pyarrow import parquet

from autokd.errors import InputError
from autokd.report.table_files import _WRITERS, check_ending, write_table
from tests.core.test_atomic_write import files_end_at

ROWS = [
    {"student": 9, "method": "plain", "accuracy": 0.5, "epoch": 3},
    {"student": 4, "method": "=1+1", "accuracy": None, "epoch": 1},
]
TABLE = pa.Table.from_pylist(ROWS).replace_schema_metadata({b"autokd": json.dumps({"federation": "f"})})


def test_parquet_has_everything(tmp_path: Path) -> None:
    write_table(TABLE, tmp_path / "new" / "table.parquet")
    table = parquet.read_table(tmp_path / "new" / "table.parquet")
    assert table.to_pylist() == ROWS
    assert json.loads(table.schema.metadata[b"autokd"]) == {"federation": "f"}


def test_csv_has_all_rows_and_no_formula(tmp_path: Path) -> None:
    write_table(TABLE, tmp_path / "table.CSV")
    with (tmp_path / "table.CSV").open(newline="") as file:
        first, second = csv.DictReader(file)
    assert first == {"student": "9", "method": "plain", "accuracy": "0.5", "epoch": "3"}
    assert (second["method"], second["accuracy"]) == ("'=1+1", "")


def test_a_workbook_has_rows_and_what_is_known_of_them(tmp_path: Path) -> None:
    write_table(TABLE, tmp_path / "table.xlsx")
    book = openpyxl.load_workbook(tmp_path / "table.xlsx")
    assert book.sheetnames == ["runs", "about"]
    assert [[cell.value for cell in row] for row in book["runs"].iter_rows()] == [
        ["student", "method", "accuracy", "epoch"],
        [9, "plain", 0.5, 3],
        [4, "'=1+1", None, 1],
    ]
    assert [cell.value for cell in book["about"][2]] == ["federation", '"f"']


@pytest.mark.parametrize("name", ["table", "table.txt", "table.json", "table.parquet.gz", "csv"])
def test_another_ending_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"must end in \.parquet, \.csv or \.xlsx"):
        write_table(TABLE, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_workbook_without_its_library_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("autokd.report.table_files.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'autokd\[excel\]'"):
        check_ending(Path("table.xlsx"))
    check_ending(Path("table.csv"))


def test_a_file_that_is_there_stays_if_writing_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "table.csv").write_text("mine")

    def full(table: pa.Table, path: Path) -> None:
        path.write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setitem(_WRITERS, ".csv", full)
    with pytest.raises(InputError, match="No space left"):
        write_table(TABLE, tmp_path / "table.csv")
    assert (tmp_path / "table.csv").read_text() == "mine"


@pytest.mark.parametrize("name", ["table.csv", "table.parquet", "table.xlsx"])
def test_a_full_disk_is_one_error_and_leaves_the_old_file(tmp_path: Path, name: str) -> None:
    if name.endswith("xlsx"):
        pytest.importorskip("openpyxl", reason="the extra excel is not installed")
    (tmp_path / name).write_text("mine")
    # Compressed, these rows still take more than the disk has.
    digits = [hashlib.sha256(bytes([number])).hexdigest() for number in range(200)]
    with files_end_at(4000), pytest.raises(InputError, match="cannot be written"):
        write_table(pa.table({"digits": digits}), tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "mine"
