"""Figures as files: each as PNG and SVG with its numbers as CSV."""

from __future__ import annotations

import asyncio
import csv
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from autokd.errors import InputError
from autokd.report.drawings import Drawing, Numbers, federation_drawings, matrix_drawings, pair_drawings
from autokd.report.material import Material, PairMaterial

FORMATS: Final = ("png", "svg")
_WIDTH: Final = 900
"""Pixels, of figures that do not say it themselves."""
_PIXELS: Final = 2
"""Of a PNG for each pixel of the figure, so that it is sharp in print."""


def drawings(material: Material, *, pairs: Iterable[PairMaterial], federation: bool) -> Iterator[Drawing]:
    """Of the federation, if it is asked for, and of some pairs, whose names begin with the pair's."""
    if federation:
        yield from federation_drawings(material)
        yield from matrix_drawings(material)
    for one in pairs:
        for drawing in pair_drawings(material, one):
            name = f"{one.pair.teacher}-{one.pair.student}-{drawing.name}"
            yield Drawing(name=name, figure=drawing.figure, numbers=drawing.numbers)


def write_figures(
    drawn: Iterable[Drawing], folder: Path, *, listen: Callable[[str], None] = lambda name: None
) -> int:
    """Write `NAME.png`, `NAME.svg` and `NAME.csv` for each figure; what is there is replaced.

    Args:
        drawn: What to write.
        folder: Made if it is missing.
        listen: Told each name once its files are there.

    Returns:
        How many figures there were.

    Raises:
        InputError: If kaleido or Chromium is missing, or a file cannot be written.
    """
    kaleido = _kaleido()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return asyncio.run(_write(kaleido, drawn, folder, listen))
    except OSError as error:
        raise InputError(f"--figures {folder}: cannot be written ({error.strerror or error})") from error
    except kaleido.errors.ChromeNotFoundError as error:
        raise InputError(
            "--figures: no Chrome or Chromium was found, which draws the figures; install one, or name its "
            "program in the environment variable BROWSER_PATH"
        ) from error
    except (kaleido.errors.BrowserClosedError, kaleido.errors.BrowserFailedError) as error:
        raise InputError(f"--figures: Chromium did not start or went away ({error})") from error


async def _write(kaleido: Any, drawn: Iterable[Drawing], folder: Path, listen: Callable[[str], None]) -> int:
    count = 0
    # NOTE: without mathjax=False it would be fetched from the network.
    async with kaleido.Kaleido(mathjax=False) as browser:
        for drawing in drawn:
            for suffix in FORMATS:
                options = {"format": suffix, "width": drawing.figure["layout"].get("width", _WIDTH)}
                options["scale"] = _PIXELS if suffix == "png" else 1
                picture = await browser.calc_fig(drawing.figure, opts=options)
                (folder / f"{drawing.name}.{suffix}").write_bytes(picture)
            _write_numbers(drawing.numbers, folder / f"{drawing.name}.csv")
            listen(drawing.name)
            count += 1
    return count


def _write_numbers(numbers: Numbers, path: Path) -> None:
    """Exact: a number is read back as it was; nothing stands for not known."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(numbers[0]) if numbers else [])
        writer.writeheader()
        writer.writerows(numbers)


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
