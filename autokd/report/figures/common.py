"""What all figures share: their form, axes, layout, and how a figure becomes text."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from autokd.report.palette import INK, LINES, MUTED, PAPER
from autokd.text.escaping import figure_text

Figure = dict[str, Any]
"""A figure as plotly.js reads it: `data`, a list of traces, and `layout`.

Plain dictionaries: plotly's own classes check every property, which takes seconds for 90 pairs. The tests
check each kind of figure with those classes.
"""
Trace = dict[str, Any]

AXIS: Final = {
    "gridcolor": LINES,
    "zeroline": False,
    "linecolor": MUTED,
    "tickcolor": MUTED,
    "ticks": "outside",
    "fixedrange": True,
    "automargin": True,
}
COLOR_BAR: Final = {"thickness": 14, "outlinewidth": 0}
ZERO: Final = {"color": MUTED, "width": 1}


def figure(traces: Sequence[Trace], *, height: int, legend: float = 1.02, **more: Any) -> Figure:
    """Return a figure of these traces; `more` holds axes and further properties of the layout.

    The legend stands above the plot, which shrinks if it has many rows; `legend` is its lower end, in heights
    of the plot.
    """
    layout = {
        "height": height,
        "margin": {"l": 60, "r": 20, "t": 20, "b": 50},
        "paper_bgcolor": PAPER,
        "plot_bgcolor": PAPER,
        "font": {"family": "system-ui, sans-serif", "size": 13, "color": INK},
        "legend": {"orientation": "h", "x": 0, "y": legend, "yanchor": "bottom"},
        "hoverlabel": {"align": "left"},
    }
    return {"data": traces, "layout": layout | more}


def axis(title: str = "", **more: Any) -> dict[str, Any]:
    """Return an axis of numbers."""
    return {**AXIS, **({"title": {"text": title}} if title else {}), **more}


def name_axis(title: str = "", **more: Any) -> dict[str, Any]:
    """Return an axis of names, without grid and ticks."""
    return axis(title, showgrid=False, **{"ticks": "", **more})


def ticks(names: Sequence[str]) -> dict[str, Any]:
    """Return the ticks of an axis whose positions 0, 1, ... have these names."""
    return {"tickvals": list(range(len(names))), "ticktext": [figure_text(name) for name in names]}


def horizontal_line(y: float | None, line: Mapping[str, Any]) -> dict[str, Any]:
    """Return a shape: a line at `y` across the whole plot."""
    return {"type": "line", "x0": 0, "x1": 1, "xref": "x domain", "y0": y, "y1": y, "yref": "y", "line": line}


def scatter(x: Sequence[Any], y: Sequence[Any], mode: str, **more: Any) -> Trace:
    """Return a trace of marks or lines."""
    return {"type": "scatter", "x": x, "y": y, "mode": mode, **more}


def legend_entry(name: str, **style: Mapping[str, Any]) -> Trace:
    """Return a trace without data that explains a mark or a line in the legend."""
    if "marker" in style:
        return scatter([None], [None], "markers", name=name, marker={**style["marker"], "size": 11})
    return scatter([None], [None], "lines", name=name, **style)


def scale(colors: Sequence[str]) -> list[list[object]]:
    """Return a color scale with the colors at equal distances."""
    return [[number / (len(colors) - 1), color] for number, color in enumerate(colors)]


def percent(accuracy: float | None) -> float | None:
    """Return an accuracy in [0, 1] in percent, as figures show it."""
    return None if accuracy is None else 100 * accuracy


def as_json(content: object) -> str:
    """Return JSON; the same content gives the same text."""
    return json.dumps(content, allow_nan=False, separators=(",", ":"))
