"""What all figures share: axes, layout, and how a figure becomes text."""

from __future__ import annotations

from html import escape
from typing import Any, Final

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from autokd.report.palette import INK, LINES, MUTED, PAPER

AXIS: Final = {
    "gridcolor": LINES,
    "zeroline": False,
    "linecolor": MUTED,
    "tickcolor": MUTED,
    "ticks": "outside",
    "fixedrange": True,
    "automargin": True,
}
PLAIN_AXIS: Final = {**AXIS, "showgrid": False, "ticks": ""}
"""Of names instead of numbers."""
ZERO: Final = {"color": MUTED, "width": 1}


def layout(*, height: int, **more: Any) -> dict[str, Any]:
    """The legend stands above the plot, which gives way to as many rows as it takes."""
    return {
        "template": "none",
        "height": height,
        "margin": {"l": 60, "r": 20, "t": 20, "b": 50},
        "paper_bgcolor": PAPER,
        "plot_bgcolor": PAPER,
        "font": {"family": "system-ui, sans-serif", "size": 13, "color": INK},
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        "hoverlabel": {"align": "left"},
        **more,
    }


def scale(colours: tuple[str, ...]) -> list[list[object]]:
    """Colours at equal distances, as plotly wants them."""
    return [[number / (len(colours) - 1), colour] for number, colour in enumerate(colours)]


def percent(accuracy: float | None) -> float | None:
    """Accuracy in [0, 1] as figures show it."""
    return None if accuracy is None else 100 * accuracy


def literal(text: str) -> str:
    """Text from outside as plotly shows it unchanged: it takes tags for markup, and knows few entities."""
    return escape(text, quote=False)


def as_json(figure: go.Figure) -> str:
    """A figure for `Plotly.newPlot`; the same figure gives the same text."""
    return str(figure.to_json())


def library() -> str:
    """plotly.js itself, 5 MB of JavaScript."""
    return str(get_plotlyjs())
