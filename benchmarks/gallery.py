"""The pictures of docs/, from a real batch.

    python -m benchmarks.gallery --home DIR [--study digits] [--pair 4,9] [--out docs/images]

What the home has is shown: pairs that were not tuned leave their cells empty. Needs Chromium, and Pillow.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.terminal_theme import SVG_EXPORT_THEME
from rich.text import Text

from autokd.core.setting import Pair
from benchmarks.screen import Screen, chromium

AUTOKD: Final = Path(sys.executable).parent / "autokd"
COLUMNS: Final = 92
"""Of the terminal: as wide as ten participants need for gains with a digit behind the point."""
DRAWN: Final = "document.querySelectorAll('[data-drawn]').length"


def terminal(*arguments: str) -> str:
    """A page that shows what a command prints in a terminal."""
    environment = {"FORCE_COLOR": "1", "COLORTERM": "truecolor", "COLUMNS": str(COLUMNS)}
    done = subprocess.run(
        [AUTOKD, *arguments], env={**os.environ, **environment}, capture_output=True, text=True, check=True
    )
    console = Console(record=True, width=COLUMNS, force_terminal=True, file=io.StringIO())
    console.print(Text.assemble(("$ ", "dim"), "autokd status"))
    console.print(Text.from_ansi(done.stdout))
    text = console.export_html(theme=SVG_EXPORT_THEME, inline_styles=True)
    # Cells of neighbouring lines touch, as they do in a terminal.
    return text.replace(
        '<pre style="', '<pre style="display:inline-block;margin:0;padding:16px;line-height:1.3;'
    )


@contextmanager
def dashboard() -> Iterator[str]:
    """The address of Optuna Dashboard while it runs."""
    command = [str(AUTOKD), "dashboard", "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        try:
            assert server.stderr is not None
            lines = iter(server.stderr.readline, "")
            yield next(match[0] for line in lines if (match := re.search(r"http://[\d.]+:\d+", line)))
        finally:
            server.terminate()


async def pictures(home: Path, study: str, pair: Pair, out: Path) -> None:
    """Take them all."""
    os.environ["AUTOKD_HOME"] = str(home)  # What the report tells to do shall not name a folder of ours.
    options = ("--study", study)
    name = f"pair-{pair.teacher}-{pair.student}"
    with tempfile.TemporaryDirectory() as folder:
        report, shown = Path(folder) / "report.html", Path(folder) / "status.html"
        subprocess.run([AUTOKD, "report", *options, "--out", report], check=True, stdout=subprocess.DEVNULL)
        shown.write_text(terminal("status", *options), encoding="utf-8")
        async with chromium() as screen:
            await screen.open(f"{report.as_uri()}#{name}")
            await screen.wait_for(f"{DRAWN} == 2")
            section = "document.getElementById('matrices').closest('section')"
            await screen.picture(section, out / "report.png")
            await screen.picture(f"document.getElementById('{name}')", out / f"{name}.png")
            await screen.open(shown.as_uri())
            await screen.wait_for("document.readyState == 'complete'")
            await screen.picture("document.querySelector('pre')", out / "status.png")
            with dashboard() as address:
                await of_the_dashboard(screen, address, pair, out / "dashboard.png")
    for path in sorted(out.glob("*.png")):
        print(f"{path}: {path.stat().st_size / 1000:.0f} KB")


async def of_the_dashboard(screen: Screen, address: str, pair: Pair, path: Path) -> None:
    """The study of a pair, down to our figures."""
    await screen.open(f"{address}/dashboard")
    await screen.wait_for("document.readyState == 'complete'")
    studies = "fetch('/api/studies').then((answer) => answer.json()).then((all) => all.study_summaries)"
    summaries = await screen.run(studies)
    number = next(summary["study_id"] for summary in summaries if summary["study_name"].endswith(f"/{pair}"))
    await screen.open(f"{address}/dashboard/studies/{number}", height=1700)
    await screen.wait_for("document.querySelectorAll('.js-plotly-plot').length >= 6")
    await asyncio.sleep(2)  # Its figures grow into place.
    await screen.picture("document.documentElement", path, height=1720)


def main() -> None:
    """Take the pictures and say how large they are."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--study", default="digits")
    parser.add_argument("--pair", default="4,9")
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    teacher, student = map(int, options.pair.split(","))
    asyncio.run(pictures(options.home, options.study, Pair(teacher, student), options.out))


if __name__ == "__main__":
    main()
