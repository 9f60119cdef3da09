"""`autokd report`: write the whole federation, or one pair, as an HTML page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from autokd.cli import options
from autokd.cli.console import note, out, print_json
from autokd.cli.pair_options import one_pair
from autokd.text.quoting import counted

_PAGE: Final = Path("report.html")


def report(
    study: options.StudyOptions,
    path: Annotated[Path, typer.Option("--out", help="Page: .html or .pdf.", metavar="FILE")] = _PAGE,
    pair: Annotated[
        str | None,
        typer.Option(help="Show only this pair: teacher and student, e.g. 4,9.", metavar="T,S"),
    ] = None,
    figures: Annotated[
        Path | None,
        typer.Option(
            help="Folder to write each figure to, as PNG and SVG, and its numbers as CSV (needs Chromium).",
            metavar="DIR",
        ),
    ] = None,
    json: options.Json = False,
) -> None:
    """Write one HTML file that shows every pair; it needs no other files and no network.

    Where results are missing it says so, so that it can be written while `autokd tune` is running.

    Examples:
        autokd report
        autokd report --pair 4,9 --figures figures
        autokd report --out report.pdf   (needs Chromium)
    """
    from autokd.report.pdf import writer_of
    from autokd.workflows import report as workflow

    write = writer_of(path)
    workspace = study.workspace()
    only = None if pair is None else one_pair(workspace, pair)
    data = workflow.report_data(workspace, None if only is None else [only], options=study.repeated())

    # Imported here, after the arguments were checked: drawing takes a while to import.
    from autokd.report import ReportFacts, page
    from autokd.report.chart_files import write_figures
    from autokd.report.charts import all_charts

    facts = ReportFacts(data, only)
    write(page(facts), path)
    count = 0
    if figures is not None:
        count = write_figures(all_charts(facts), figures, listen=lambda name: note(f"drew {name}"))
    if json:
        print_json({"path": str(path), "pairs": len(data.pairs), "figures": count})
        return
    say_written(path)
    if figures is not None:
        out.print(f"wrote {counted(count, 'figure')} to {figures}", soft_wrap=True)


def say_written(path: Path) -> None:
    """Print where the report is, and what opens it."""
    how = "" if path.suffix.lower() == ".pdf" else "; open it in a browser"
    out.print(f"wrote {path}{how}", soft_wrap=True)
