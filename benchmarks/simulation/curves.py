"""A picture of how much each way to search has found at which cost, from what `compare` has kept.

    python -m benchmarks.simulation.curves [benchmarks/results/peers.json] [--out docs/images/tuners.png]

The mean of the seeds, autokd's with their standard deviation around it. Needs Chromium, and Pillow.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from autokd.report.figures.common import AXIS
from autokd.report.figures.common import figure as plain_figure
from autokd.report.palette import CHOSEN, INK, MUTED
from benchmarks.screen import chromium
from benchmarks.simulation.compare import SCENARIOS
from benchmarks.simulation.differences import KEPT
from benchmarks.simulation.measure import at
from benchmarks.simulation.table import TABLES

COSTS: Final = np.linspace(0, 0.2, 81)
"""At which a curve is drawn, as parts of the sweep."""
PICTURE: Final = Path(__file__).parents[2] / "docs" / "images" / "tuners.png"
_TITLES: Final = {
    "newcomer": "a new pair",
    "batch": "a batch, from nothing",
    "meetings": "with free position",
}


class Line(NamedTuple):
    """How a contestant is drawn."""

    colour: str
    dash: str = "solid"
    width: int = 2


LINES: Final = {
    "autokd": Line(CHOSEN, width=4),
    "Syne Tune zero-shot, sweeps": Line("#0072b2", "dot"),
    "Syne Tune zero-shot, trials": Line("#0072b2"),
    "Syne Tune quantile, trials": Line("#009e73"),
    "Syne Tune box, trials": Line("#cc79a7"),
    "SMAC3 HPO": Line("#e69f00"),
    "Ray OptunaSearch + ASHA": Line("#56b4e9"),
    "TPE": Line(INK),
    "random": Line(MUTED, "dash"),
    "best single setting": Line(INK, "dot"),
}
"""One of each kind: docs/results/other-tuners.md has all of them."""


class Curve(NamedTuple):
    """Share at `COSTS`, over seeds.

    Attributes:
        mean: Shape (costs,); NaN beyond what was measured.
        deviation: Standard deviation, of the same shape.
    """

    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]


def curve(seeds: Sequence[Sequence[tuple[float, float]]]) -> Curve:
    """From cost and share by seed.

    What has one point only is no search: it has that share at every cost from there on.
    """
    shares = np.array([[at([*points], cost) for cost in COSTS] for points in seeds])
    # Nothing is said between the start and the first point; who has nothing left to try stays where it is.
    first, last = (max(points[end][0] for points in seeds) for end in (0, -1))
    said = (first <= COSTS) & ((last >= COSTS) | all(len(points) == 1 for points in seeds))
    shares[:, ~said] = np.nan
    return Curve(shares.mean(axis=0), shares.std(axis=0))


def figure(kept: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> go.Figure:
    """A panel for each table and scenario.

    Args:
        kept: What `compare` wrote: by table, scenario and contestant.
    """
    panels = [(scenario, table) for scenario in SCENARIOS for table in TABLES]
    drawn = make_subplots(
        rows=len(SCENARIOS),
        cols=len(TABLES),
        shared_xaxes=True,
        shared_yaxes=True,
        horizontal_spacing=0.03,
        vertical_spacing=0.06,
        subplot_titles=[f"{table}: {_TITLES[scenario]}" for scenario, table in panels],
    )
    named: set[str] = set()
    for number, (scenario, table) in enumerate(panels):
        place = {"row": number // len(TABLES) + 1, "col": number % len(TABLES) + 1}
        measured = kept.get(table, {}).get(scenario, {})
        # autokd last: above the others.
        for name in [name for name in reversed(LINES) if name in measured]:
            average = curve(measured[name]["cost_and_share_by_seed"])
            if name == "autokd":
                drawn.add_trace(_band(average), **place)
            drawn.add_trace(_line(name, average, named=name not in named), **place)
            named.add(name)
    drawn.update_layout(
        template="none",
        **plain_figure([], height=1060, width=1180)["layout"] | {"legend": {"orientation": "h", "y": -0.07}},
    )
    drawn.update_layout(margin={"t": 40})
    drawn.update_annotations(font_size=14)
    drawn.update_xaxes(**AXIS, tickformat=".0%", range=[0, 0.2])
    drawn.update_xaxes(title_text="epochs, of the sweep's", row=len(SCENARIOS))
    drawn.update_yaxes(**AXIS, range=[-0.05, 1.2], dtick=0.2)
    drawn.update_yaxes(title_text="share of the sweep's gain", col=1)
    return drawn


def _line(name: str, average: Curve, *, named: bool) -> go.Scatter:
    colour, dash, width = LINES[name]
    style = {"color": colour, "dash": dash, "width": width}
    return go.Scatter(
        x=COSTS,
        y=average.mean,
        name=name,
        mode="lines",
        line=style,
        legendgroup=name,
        legendrank=[*LINES].index(name),
        showlegend=named,
    )


def _band(average: Curve) -> go.Scatter:
    there = ~np.isnan(average.mean)
    costs, high, low = (
        values[there]
        for values in (COSTS, average.mean + average.deviation, average.mean - average.deviation)
    )
    return go.Scatter(
        x=np.concatenate([costs, costs[::-1]]),
        y=np.concatenate([high, low[::-1]]),
        fill="toself",
        fillcolor="rgba(213, 94, 0, 0.18)",
        line={"width": 0},
        hoverinfo="skip",
        showlegend=False,
    )


async def picture(drawn: go.Figure, path: Path) -> None:
    """Write a figure as a PNG."""
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "curves.html"
        drawn.write_html(page, config={"staticPlot": True})
        async with chromium() as screen:
            await screen.open(page.as_uri(), width=1200, height=1100)
            await screen.wait_for("document.querySelector('.main-svg .legend')")
            await screen.picture("document.querySelector('.plot-container')", path)


def main() -> None:
    """Draw."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", nargs="?", type=Path, default=KEPT)
    parser.add_argument("--out", type=Path, default=PICTURE)
    options = parser.parse_args()
    asyncio.run(picture(figure(json.loads(options.file.read_text())), options.out))
    print(f"{options.out}: {options.out.stat().st_size / 1000:.0f} KB")


if __name__ == "__main__":
    main()
