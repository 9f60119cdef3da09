"""Charts as files: each as PNG and SVG, with its numbers as CSV."""

from __future__ import annotations

import asyncio
import csv
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

from autokd.core.atomic_write import make_folder, replacing
from autokd.errors import InputError
from autokd.report.charts import Chart
from autokd.text.escaping import csv_row

FORMATS: Final = ("png", "svg")
_WIDTH: Final = 900
"""Width in pixels of figures that do not set it."""
_PIXELS: Final = 2
"""Pixels of a PNG for each pixel of the figure; more than one, so that it is sharp in print."""


def write_figures(
    charts: Iterable[Chart], folder: Path, *, listen: Callable[[str], None] = lambda name: None
) -> int:
    """Write `NAME.png`, `NAME.svg` and `NAME.csv` for each chart, and return the number of charts.

    The folder is created if it is missing, and existing files are replaced. `listen` is called with each name
    once its files are written.

    Raises:
        InputError: If kaleido or Chromium is missing, or a file cannot be written.
    """
    kaleido = _kaleido()
    try:
        make_folder(folder)
        return asyncio.run(_write(kaleido, charts, folder, listen))
    except OSError as error:
        raise InputError(f"--figures {folder}: cannot be written ({error.strerror or error})") from error
    except kaleido.errors.ChromeNotFoundError as error:
        raise InputError(
            "--figures: no Chrome or Chromium was found, which draws the figures; install one, or name its "
            "program in the environment variable BROWSER_PATH"
        ) from error
    except (kaleido.errors.BrowserClosedError, kaleido.errors.BrowserFailedError) as error:
        raise InputError(f"--figures: Chromium did not start or went away ({error})") from error


async def _write(kaleido: Any, charts: Iterable[Chart], folder: Path, listen: Callable[[str], None]) -> int:
    count = 0
    # NOTE: without mathjax=False it would be fetched from the network.
    async with kaleido.Kaleido(mathjax=False) as browser:
        for chart in charts:
            for suffix in FORMATS:
                options = {"format": suffix, "width": chart.figure["layout"].get("width", _WIDTH)}
                options["scale"] = _PIXELS if suffix == "png" else 1
                picture = await browser.calc_fig(chart.figure, opts=options)
                with replacing(folder / f"{chart.name}.{suffix}") as draft:
                    draft.write_bytes(picture)
            # Numbers are written exactly, so that a reader gets the same; an unknown one is an empty field.
            with (
                replacing(folder / f"{chart.name}.csv") as draft,
                draft.open("w", encoding="utf-8", newline="") as file,
            ):
                writer = csv.DictWriter(file, fieldnames=list(chart.numbers[0]) if chart.numbers else [])
                writer.writeheader()
                writer.writerows(map(csv_row, chart.numbers))
            listen(chart.name)
            count += 1
    return count


def _kaleido() -> Any:
    try:
        import kaleido
        import kaleido.errors
    except ImportError as error:
        raise InputError(
            "--figures: drawing files needs kaleido; install autokd with its extra, "
            "pip install 'autokd[figures]', and Chrome or Chromium"
        ) from error
    return kaleido
