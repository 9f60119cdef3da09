"""`autokd export`: all measurements as one table: Parquet, CSV or a workbook."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autokd.cli import options
from autokd.cli.console import out, print_json
from autokd.text.quoting import counted


def export(
    path: Annotated[Path, typer.Option("--out", help="File: .parquet, .csv or .xlsx.", metavar="FILE")],
    study: options.StudyOptions,
    json: options.Json = False,
) -> None:
    """Write one row per pair, setting, seed and rung, with accuracy, forgetting and seconds.

    The column stage tells the runs apart: search (in --space), race, confirmation, sweep, rival.

    Examples:
        autokd export --out table.parquet
        autokd export --out table.csv   (or .xlsx, for a spreadsheet)
    """
    from autokd.workflows import export as workflow

    rows = workflow.export(study.workspace(), path)
    if json:
        print_json({"rows": rows, "path": str(path)})
    else:
        out.print(f"wrote {counted(rows, 'row')} to {path}", soft_wrap=True)
