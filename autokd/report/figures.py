"""Figures drawn from facts with plotly; nothing is decided here."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import Any, Final

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs
from plotly.subplots import make_subplots

from autokd.records import TrialState
from autokd.report.facts import Curve, CurveFacts, LandscapeFacts, Panel, Point
from autokd.report.palette import AROUND_OWN, CHOSEN, INK, LINES, MUTED, TRANSFER_SETS, WITHOUT_OWN
from autokd.setting import Setting, TransferSet

_ENDED: Final = {
    TrialState.COMPLETE: ("circle", "ran to the full budget"),
    TrialState.PRUNED: ("x", "stopped early"),
    TrialState.FAIL: ("triangle-down", "failed"),
}
"""Symbol and words for how a trial ended."""
_DEFAULT_RING: Final = {"symbol": "square-open", "color": INK, "line": {"width": 3}}
_CHOSEN_RING: Final = {"symbol": "circle-open", "color": CHOSEN, "line": {"width": 3}}
_DEFAULT_LINE: Final = {"color": INK, "width": 3, "dash": "dash"}
_CHOSEN_LINE: Final = {"color": CHOSEN, "width": 4}
_OWN_LINE: Final = {"color": MUTED, "width": 1.5, "dash": "dot"}
_TEMPERATURES: Final = [2.0**power for power in range(-4, 8)]
_AXIS: Final = {
    "gridcolor": LINES,
    "zeroline": False,
    "linecolor": MUTED,
    "ticks": "outside",
    "fixedrange": True,
}


def landscape_figure(facts: LandscapeFacts) -> go.Figure:
    """T across and α upwards, a plane for each transfer set; `public` has no α and is a strip below."""
    planes = [panel for panel in facts.panels if panel.transfer_set is not TransferSet.PUBLIC]
    strips = [panel for panel in facts.panels if panel.transfer_set is TransferSet.PUBLIC]
    figure = _grid(planes, strips)
    places = [*((panel, 1, column) for column, panel in enumerate(planes, 1))]
    places += [(panel, 2 if planes else 1, 1) for panel in strips]
    for panel, row, column in places:
        for trace in (*_points(panel), *_rings(panel)):
            figure.add_trace(trace, row=row, col=column)
    if any(panel.default for panel in facts.panels):
        figure.add_trace(_legend_mark("the default", _DEFAULT_RING))
    if any(panel.chosen for panel in facts.panels):
        figure.add_trace(_legend_mark("chosen by the race", _CHOSEN_RING))
    for trace in _legend_of_ends(point.state for panel in facts.panels for point in panel.points):
        figure.add_trace(trace)
    if facts.temperatures is not None:
        low, high = map(math.log10, facts.temperatures)
        figure.update_xaxes(range=[low - 0.1, high + 0.1])
    ticks = {"tickvals": _TEMPERATURES, "ticktext": [f"{one:g}" for one in _TEMPERATURES]}
    figure.update_xaxes(type="log", title="temperature T", **ticks, **_AXIS)
    figure.update_yaxes(range=[-0.08, 1.12], **_AXIS)
    figure.update_yaxes(title="weight α", row=1, col=1)
    if strips:
        figure.update_yaxes(visible=False, range=[-1, 1.4], row=places[-1][1], col=1)
    figure.update_layout(**_layout(height=560 if planes and strips else 420), coloraxis=_colour_axis(facts))
    return figure


def curve_figure(facts: CurveFacts) -> go.Figure:
    """Validation accuracy over epochs, a line for each trial; how it ended is the mark at its end."""
    figure = go.Figure()
    for curve in facts.curves:
        figure.add_trace(_line(curve))
        figure.add_trace(_end(curve))
    if facts.own is not None:
        figure.add_hline(y=_percent(facts.own), line=_OWN_LINE)
        figure.add_trace(_legend_line(f"the model as it is, {facts.own:.1%}", _OWN_LINE))
    if any(curve.default for curve in facts.curves):
        figure.add_trace(_legend_line("the default", _DEFAULT_LINE))
    if any(curve.chosen for curve in facts.curves):
        figure.add_trace(_legend_line("chosen by the race", _CHOSEN_LINE))
    for transfer_set, colour in TRANSFER_SETS.items():
        if any(curve.setting.transfer_set is transfer_set for curve in facts.curves):
            figure.add_trace(_legend_line(f"on {transfer_set}", {"color": colour, "width": 2}))
    for trace in _legend_of_ends(curve.state for curve in facts.curves):
        figure.add_trace(trace)
    figure.update_xaxes(title="epochs trained", rangemode="tozero", **_AXIS)
    figure.update_yaxes(title="validation accuracy", ticksuffix="%", **_AXIS)
    figure.update_layout(**_layout(height=460))
    return figure


def fragment(figure: go.Figure, *, name: str) -> str:
    """A figure as HTML that needs `library` on the page; the same figure gives the same text."""
    options = {"responsive": True, "displaylogo": False, "displayModeBar": False}
    return str(figure.to_html(full_html=False, include_plotlyjs=False, div_id=name, config=options))


def library() -> str:
    """plotly.js itself, 5 MB of JavaScript."""
    return str(get_plotlyjs())


def _grid(planes: Sequence[Panel], strips: Sequence[Panel]) -> go.Figure:
    columns = max(len(planes), 1)
    rows: list[list[dict[str, int] | None]] = [[{} for _ in planes]] if planes else []
    if strips:
        rows.append([{"colspan": columns}, *[None] * (columns - 1)])
    return make_subplots(
        rows=max(len(rows), 1),
        cols=columns,
        specs=rows or None,
        shared_yaxes=True,
        subplot_titles=[f"on {panel.transfer_set}" for panel in (*planes, *strips)] or None,
        row_heights=[0.8, 0.2] if len(rows) == 2 else None,
        horizontal_spacing=0.03,
        vertical_spacing=0.24 if len(rows) == 2 else 0,
    )


def _points(panel: Panel) -> Iterator[go.Scatter]:
    """The trials of a panel, a trace for each way of ending; dead ones without a figure are grey."""
    for state, (symbol, _) in _ENDED.items():
        for reported in (True, False):
            points = [
                point
                for point in panel.points
                if point.state is state and (point.accuracy is not None) is reported
            ]
            colour = {"color": [_percent(point.accuracy) for point in points], "coloraxis": "coloraxis"}
            if points:
                yield go.Scatter(
                    x=[point.setting.temperature for point in points],
                    y=[point.setting.alpha or 0.0 for point in points],
                    mode="markers",
                    marker={
                        "symbol": symbol,
                        "size": 12 if state is TrialState.COMPLETE else 10,
                        "line": {"color": MUTED, "width": 1},
                        **(colour if reported else {"color": LINES}),
                    },
                    hovertext=[_told(point) for point in points],
                    hoverinfo="text",
                    showlegend=False,
                )


def _rings(panel: Panel) -> Iterator[go.Scatter]:
    for setting, marker in ((panel.default, _DEFAULT_RING), (panel.chosen, _CHOSEN_RING)):
        if setting is not None:
            yield go.Scatter(
                x=[setting.temperature],
                y=[setting.alpha or 0.0],
                mode="markers",
                marker={**marker, "size": 22},
                hoverinfo="skip",
                showlegend=False,
            )


def _line(curve: Curve) -> go.Scatter:
    return go.Scatter(
        x=curve.epochs,
        y=[_percent(accuracy) for accuracy in curve.accuracies],
        mode="lines",
        line=_stroke(curve),
        opacity=_opacity(curve),
        hoverinfo="skip",
        showlegend=False,
    )


def _end(curve: Curve) -> go.Scatter:
    symbol, words = _ENDED[curve.state]
    return go.Scatter(
        x=curve.epochs[-1:],
        y=[_percent(curve.accuracies[-1])],
        mode="markers",
        marker={"symbol": symbol, "size": 8, "color": _stroke(curve)["color"]},
        opacity=_opacity(curve),
        hovertext=_hover(curve.number, words, curve.setting, curve.accuracies[-1], curve.epochs[-1]),
        hoverinfo="text",
        showlegend=False,
    )


def _stroke(curve: Curve) -> Mapping[str, object]:
    if curve.chosen:
        return _CHOSEN_LINE
    if curve.default:
        return _DEFAULT_LINE
    return {"color": TRANSFER_SETS[curve.setting.transfer_set], "width": 1.5}


def _opacity(curve: Curve) -> float:
    return 1.0 if curve.chosen or curve.default else 0.6


def _legend_of_ends(states: Iterable[TrialState]) -> Iterator[go.Scatter]:
    there = set(states)
    for state, (symbol, words) in _ENDED.items():
        if state in there:
            yield _legend_mark(words, {"symbol": symbol, "color": MUTED})


def _legend_mark(name: str, marker: Mapping[str, object]) -> go.Scatter:
    return go.Scatter(x=[None], y=[None], mode="markers", marker={**marker, "size": 11}, name=name)


def _legend_line(name: str, line: Mapping[str, object]) -> go.Scatter:
    return go.Scatter(x=[None], y=[None], mode="lines", line=line, name=name)


def _colour_axis(facts: LandscapeFacts) -> dict[str, Any]:
    bar: dict[str, Any] = {"title": {"text": "validation<br>accuracy"}, "thickness": 14, "outlinewidth": 0}
    if facts.colours is None:
        return {"showscale": False}
    low, high = (100 * end for end in facts.colours)
    if facts.own is None:
        return {"colorscale": WITHOUT_OWN, "cmin": low, "cmax": high, "colorbar": {**bar, "ticksuffix": "%"}}
    bar["tickvals"] = [low, 100 * facts.own, high]
    bar["ticktext"] = [f"≤ {low:.1f}%", f"as it is<br>{facts.own:.1%}", f"{high:.1f}%"]
    return {"colorscale": AROUND_OWN, "cmin": low, "cmax": high, "colorbar": bar}


def _layout(*, height: int) -> dict[str, Any]:
    """The legend stands above the plot, with room for three rows on a narrow page."""
    return {
        "height": height,
        "margin": {"l": 60, "r": 20, "t": 100, "b": 50},
        "paper_bgcolor": "white",
        "plot_bgcolor": "white",
        "font": {"family": "system-ui, sans-serif", "size": 13, "color": INK},
        "legend": {"orientation": "h", "x": 0, "y": 0.99, "yanchor": "top", "yref": "container"},
        "hoverlabel": {"align": "left"},
    }


def _told(point: Point) -> str:
    told = _hover(point.number, _ENDED[point.state][1], point.setting, point.accuracy, point.epoch)
    return f"{told}<br>{escape(point.reason)}" if point.reason else told


def _hover(number: int, ended: str, setting: Setting, accuracy: float | None, epoch: int) -> str:
    figure = "no report" if accuracy is None else f"{accuracy:.1%} after {epoch} epochs"
    return f"<b>trial {number}</b>, {ended}<br>{setting}<br>{figure}"


def _percent(accuracy: float | None) -> float | None:
    return None if accuracy is None else 100 * accuracy
