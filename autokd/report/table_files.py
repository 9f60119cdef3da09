"""A table as a file for other programs: Parquet, CSV or a workbook, as its name ends."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
from pyarrow import parquet

from autokd.core.atomic_write import make_folder, replacing
from autokd.errors import InputError
from autokd.text.escaping import csv_row

_MOST_ROWS: Final = 1_048_575
"""Rows of a sheet, below its header."""


def check_ending(path: Path) -> None:
    """Check that a file's name ends as one that can be written.

    Raises:
        InputError: If it does not, or if the library for it is not installed.
    """
    if path.suffix.lower() not in _WRITERS:
        raise InputError(
            f"--out {path}: the name must end in .parquet, .csv or .xlsx, which decides the format"
        )
    if path.suffix.lower() == ".xlsx" and find_spec("openpyxl") is None:
        raise InputError(f"--out {path}: workbooks need openpyxl; run: pip install 'autokd[excel]'")


def write_table(table: pa.Table, path: Path) -> None:
    """Write a table as its file is named; one that is there is replaced when the new one is complete.

    The table's metadata are in Parquet files and, as a second sheet, in workbooks; CSV has no place for them.

    Raises:
        InputError: If the ending names no format, or the file cannot be written.
    """
    check_ending(path)
    try:
        make_folder(path.parent)
        with replacing(path) as draft:
            _WRITERS[path.suffix.lower()](table, draft)
    except OSError as error:
        raise InputError(f"--out {path}: cannot be written ({error.strerror or error})") from error


def _parquet(table: pa.Table, path: Path) -> None:
    parquet.write_table(table, path, compression="zstd")


def _csv(table: pa.Table, path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, table.column_names, lineterminator="\n")
        writer.writeheader()
        for batch in table.to_batches(max_chunksize=10_000):
            writer.writerows(map(csv_row, batch.to_pylist()))


def _workbook(table: pa.Table, path: Path) -> None:
    import pandas as pd

    if table.num_rows > _MOST_ROWS:
        raise InputError(
            f"--out: a sheet holds {_MOST_ROWS:,} rows, not {table.num_rows:,}; write .parquet or .csv"
        )
    # Texts that a spreadsheet would take for formulas are escaped, as in CSV.
    rows = pd.DataFrame(map(csv_row, table.to_pylist()), columns=table.column_names)
    about = [
        csv_row({"name": name, "value": json.dumps(value)[:_LONGEST_CELL]})
        for name, value in _metadata(table).items()
    ]
    # In memory first: on a full disk, the archive would fail once more when it is closed.
    content = BytesIO()
    with pd.ExcelWriter(content, engine="openpyxl") as book:
        rows.to_excel(book, sheet_name="runs", index=False)
        pd.DataFrame(about, columns=["name", "value"]).to_excel(book, sheet_name="about", index=False)
    path.write_bytes(content.getbuffer())


_LONGEST_CELL: Final = 32_767
"""Characters of a workbook's cell."""


def _metadata(table: pa.Table) -> Mapping[str, Any]:
    """Return what the table holds beside its rows."""
    metadata: dict[str, Any] = {}
    for text in (table.schema.metadata or {}).values():
        metadata |= json.loads(text)
    return metadata


_WRITERS: Final[dict[str, Callable[[pa.Table, Path], None]]] = {
    ".parquet": _parquet,
    ".csv": _csv,
    ".xlsx": _workbook,
}
