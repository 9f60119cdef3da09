"""Figures of one pair."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, Final

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from autokd.colours import AROUND_OWN
from autokd.core.records import TrialState
from autokd.core.setting import Setting, TransferSet
from autokd.report.facts.pairs import Curve, CurveFacts, LandscapeFacts, Panel, Point
from autokd.report.facts.trials import ClassRow
from autokd.report.figures.common import AXIS, PLAIN_AXIS, ZERO, layout, literal, percent, scale
from autokd.report.palette import CHOSEN, INK, LINES, MUTED, TRANSFER_SETS, WITHOUT_OWN

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
    figure.update_xaxes(type="log", title="temperature T", **ticks, **AXIS)
    figure.update_yaxes(range=[-0.08, 1.12], **AXIS)
    figure.update_yaxes(title="weight α", row=1, col=1)
    if strips:
        figure.update_yaxes(visible=False, range=[-1, 1.4], row=places[-1][1], col=1)
    figure.update_layout(**layout(height=540 if planes and strips else 400), coloraxis=_colour_axis(facts))
    figure.update_layout(legend_y=1.1)  # Above the titles of the planes.
    return figure


def curve_figure(facts: CurveFacts) -> go.Figure:
    """Validation accuracy over epochs, a line for each trial; how it ended is the mark at its end."""
    figure = go.Figure()
    for _, curves in groupby(sorted(facts.curves, key=_place), key=_place):
        alike = list(curves)
        figure.add_trace(_lines(alike))
        for trace in _ends(alike):
            figure.add_trace(trace)
    if facts.own is not None:
        figure.add_hline(y=percent(facts.own), line=_OWN_LINE)
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
    figure.update_xaxes(title="epochs trained", rangemode="tozero", **AXIS)
    figure.update_yaxes(title="validation accuracy", ticksuffix="%", **AXIS)
    figure.update_layout(**layout(height=460))
    return figure


def classes_figure(rows: Sequence[ClassRow]) -> go.Figure:
    """Forgetting by class, the default beside what the race chose."""
    figure = go.Figure()
    names = [row.name for row in rows]
    for name, colour, lost in (
        ("the default", MUTED, [row.default for row in rows]),
        ("chosen by the race", CHOSEN, [row.chosen for row in rows]),
    ):
        if any(one is not None for one in lost):
            figure.add_bar(
                x=list(range(len(rows))),
                y=lost,
                marker={"color": colour},
                name=name,
                hovertemplate=f"{name}: %{{y:.1f}} pp<extra></extra>",
            )
    figure.add_hline(y=0, line=ZERO)
    ticks = {"tickvals": list(range(len(rows))), "ticktext": [literal(name) for name in names]}
    figure.update_xaxes(title="class", **ticks, **PLAIN_AXIS)
    figure.update_yaxes(title="forgetting in pp", **AXIS)
    figure.update_layout(**layout(height=340, barmode="group", margin={"l": 60, "r": 20, "t": 50, "b": 50}))
    return figure


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
            colour = {"color": [percent(point.accuracy) for point in points], "coloraxis": "coloraxis"}
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


def _place(curve: Curve) -> tuple[bool, bool, int]:
    """What is drawn alike is one trace, since each takes time and room; default and chosen come on top."""
    marked = curve.default or curve.chosen
    return curve.chosen, curve.default, 0 if marked else list(TransferSet).index(curve.setting.transfer_set)


def _lines(curves: Sequence[Curve]) -> go.Scatter:
    """With a gap after each but the last."""
    epochs: list[int | None] = []
    accuracies: list[float | None] = []
    for curve in curves:
        epochs += [*curve.epochs, None]
        accuracies += [*map(percent, curve.accuracies), None]
    return go.Scatter(
        x=epochs[:-1],
        y=accuracies[:-1],
        mode="lines",
        line=_stroke(curves[0]),
        opacity=_opacity(curves[0]),
        hoverinfo="skip",
        showlegend=False,
    )


def _ends(curves: Sequence[Curve]) -> Iterator[go.Scatter]:
    for state, (symbol, words) in _ENDED.items():
        ended = [curve for curve in curves if curve.state is state]
        if ended:
            yield go.Scatter(
                x=[curve.epochs[-1] for curve in ended],
                y=[percent(curve.accuracies[-1]) for curve in ended],
                mode="markers",
                marker={"symbol": symbol, "size": 8, "color": _stroke(ended[0])["color"]},
                opacity=_opacity(ended[0]),
                hovertext=[
                    _hover(curve.number, words, curve.setting, curve.accuracies[-1], curve.epochs[-1])
                    for curve in ended
                ],
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
    return {"colorscale": scale(AROUND_OWN), "cmin": low, "cmax": high, "colorbar": bar}


def _told(point: Point) -> str:
    told = _hover(point.number, _ENDED[point.state][1], point.setting, point.accuracy, point.epoch)
    return f"{told}<br>{literal(point.reason)}" if point.reason else told


def _hover(number: int, ended: str, setting: Setting, accuracy: float | None, epoch: int) -> str:
    figure = "no report" if accuracy is None else f"{accuracy:.1%} after {epoch} epochs"
    return f"<b>trial {number}</b>, {ended}<br>{setting}<br>{figure}"
