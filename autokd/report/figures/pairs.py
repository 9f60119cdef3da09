"""Figures of one pair."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any, Final

from autokd.core.colors import AROUND_OWN
from autokd.core.records import TrialRecord, TrialState
from autokd.core.setting import TransferSet
from autokd.report.facts.pairs import Curve, CurveFacts, LandscapeFacts, Panel
from autokd.report.facts.trials import ClassRow
from autokd.report.figures.common import (
    AXIS,
    COLOR_BAR,
    ZERO,
    Figure,
    Trace,
    axis,
    figure,
    horizontal_line,
    legend_entry,
    name_axis,
    percent,
    scale,
    scatter,
    ticks,
)
from autokd.report.palette import CHOSEN, INK, LINES, MUTED, TRANSFER_SETS, WITHOUT_OWN
from autokd.text.escaping import figure_text
from autokd.text.reasons import in_a_line

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
_PLANE_GAP: Final = 0.03
"""Horizontal distance between planes, as a share of the width."""
_PLANE_HEIGHT: Final = 0.608
"""Height of the planes as a share, where a strip stands below; of the rest, 0.24 are left for titles."""
_STRIP_HEIGHT: Final = 0.152


def landscape_figure(facts: LandscapeFacts, *, low: bool = False) -> Figure:
    """Draw T across and α upwards, a plane for each transfer set; `public` has no α and is a strip below.

    If the frame is `low`, there is no room for the titles of the T axes of planes that stand above a strip.
    """
    planes = [panel for panel in facts.panels if panel.transfer_set is not TransferSet.PUBLIC]
    strips = [panel for panel in facts.panels if panel.transfer_set is TransferSet.PUBLIC]
    both = bool(planes and strips)
    plane = (1 - _PLANE_GAP * (len(planes) - 1)) / max(len(planes), 1)
    traces, axes, titles = [], {}, []
    for number, panel in enumerate((*planes, *strips), 1):
        suffix = "" if number == 1 else str(number)
        strip = panel.transfer_set is TransferSet.PUBLIC
        left = (number - 1) * (plane + _PLANE_GAP)
        across = (0.0, 1.0) if strip else (left, left + plane)
        upwards = (0.0, 1.0) if not both else (0.0, _STRIP_HEIGHT) if strip else (1 - _PLANE_HEIGHT, 1.0)
        axes[f"xaxis{suffix}"] = {
            "anchor": f"y{suffix}",
            "domain": across,
            **_temperature_axis(facts),
        }
        axes[f"yaxis{suffix}"] = {"anchor": f"x{suffix}", "domain": upwards, "range": [-0.08, 1.12], **AXIS}
        if low and both and not strip:
            del axes[f"xaxis{suffix}"]["title"]
        if strip:
            axes[f"yaxis{suffix}"] |= {"visible": False, "range": [-1, 1.4]}
        elif number > 1:
            axes[f"yaxis{suffix}"] |= {"matches": "y", "showticklabels": False}
        titles.append(_panel_title(f"on {panel.transfer_set}", sum(across) / 2, upwards[1]))
        place = {"xaxis": f"x{suffix}", "yaxis": f"y{suffix}"}
        traces += [{**trace, **place} for trace in (*_points(panel), *_rings(panel))]
    if axes:
        axes["yaxis"]["title"] = {"text": "weight α"}
    if any(panel.default for panel in facts.panels):
        traces.append(legend_entry("the default", marker=_DEFAULT_RING))
    if any(panel.chosen for panel in facts.panels):
        traces.append(legend_entry("the winner", marker=_CHOSEN_RING))
    traces += _legend_of_ends(trial.state for panel in facts.panels for trial in panel.trials)
    height = 540 if both else 400
    # The legend stands above the titles of the planes.
    return figure(traces, height=height, legend=1.1, coloraxis=_color_axis(facts), annotations=titles, **axes)


def curve_figure(facts: CurveFacts) -> Figure:
    """Draw validation accuracy over epochs, a line for each trial that ends in a mark for how it ended."""
    traces: list[Trace] = []
    for _, group in groupby(sorted(facts.curves, key=_place), key=_place):
        curves = list(group)
        traces += [_lines(curves), *_ends(curves)]
    if facts.own is not None:
        traces.append(legend_entry(f"the model as it is, {facts.own:.1%}", line=_OWN_LINE))
    if any(curve.default for curve in facts.curves):
        traces.append(legend_entry("the default", line=_DEFAULT_LINE))
    if any(curve.chosen for curve in facts.curves):
        traces.append(legend_entry("the winner", line=_CHOSEN_LINE))
    transfer_sets = {curve.trial.setting.transfer_set for curve in facts.curves}
    traces += [
        legend_entry(f"on {transfer_set}", line={"color": color, "width": 2})
        for transfer_set, color in TRANSFER_SETS.items()
        if transfer_set in transfer_sets
    ]
    traces += _legend_of_ends(curve.trial.state for curve in facts.curves)
    return figure(
        traces,
        height=460,
        xaxis=axis("epochs trained", rangemode="tozero"),
        yaxis=axis("validation accuracy", ticksuffix="%"),
        shapes=[] if facts.own is None else [horizontal_line(percent(facts.own), _OWN_LINE)],
    )


def classes_figure(rows: Sequence[ClassRow]) -> Figure:
    """Draw forgetting by class, the default beside the chosen setting."""
    bars = [
        {
            "type": "bar",
            "x": list(range(len(rows))),
            "y": forgetting,
            "marker": {"color": color},
            "name": name,
            "hovertemplate": f"{name}: %{{y:.1f}} pp<extra></extra>",
        }
        for name, color, forgetting in (
            ("the default", MUTED, [row.default for row in rows]),
            ("the winner", CHOSEN, [row.chosen for row in rows]),
        )
        if any(value is not None for value in forgetting)
    ]
    return figure(
        bars,
        height=340,
        barmode="group",
        margin={"l": 60, "r": 20, "t": 50, "b": 50},
        xaxis=name_axis("class", **ticks([row.name for row in rows])),
        yaxis=axis("forgetting in pp"),
        shapes=[horizontal_line(0, ZERO)],
    )


def _temperature_axis(facts: LandscapeFacts) -> dict[str, Any]:
    names = [f"{temperature:g}" for temperature in _TEMPERATURES]
    place = axis("temperature T", type="log", tickvals=_TEMPERATURES, ticktext=names)
    if facts.temperatures is not None:
        low, high = map(math.log10, facts.temperatures)
        place["range"] = [low - 0.1, high + 0.1]
    return place


def _panel_title(text: str, x: float, y: float) -> dict[str, Any]:
    place = {"x": x, "xanchor": "center", "xref": "paper", "y": y, "yanchor": "bottom", "yref": "paper"}
    return {"text": text, "font": {"size": 16}, "showarrow": False, **place}


def _points(panel: Panel) -> Iterator[Trace]:
    """Yield the trials of a panel, one trace for each way to end; trials that never reported are grey."""
    for state, (symbol, _) in _ENDED.items():
        for reported in (True, False):
            ended = [trial for trial in panel.trials if trial.state is state]
            trials = [trial for trial in ended if (trial.accuracy is not None) is reported]
            color = {"color": [percent(trial.accuracy) for trial in trials], "coloraxis": "coloraxis"}
            if trials:
                yield scatter(
                    [trial.setting.temperature for trial in trials],
                    [trial.setting.alpha or 0.0 for trial in trials],
                    "markers",
                    marker={
                        "symbol": symbol,
                        "size": 12 if state is TrialState.COMPLETE else 10,
                        "line": {"color": MUTED, "width": 1},
                        **(color if reported else {"color": LINES}),
                    },
                    hovertext=[_trial_text(trial) for trial in trials],
                    hoverinfo="text",
                    showlegend=False,
                )


def _rings(panel: Panel) -> Iterator[Trace]:
    for setting, marker in ((panel.default, _DEFAULT_RING), (panel.chosen, _CHOSEN_RING)):
        if setting is not None:
            yield scatter(
                [setting.temperature],
                [setting.alpha or 0.0],
                "markers",
                marker={**marker, "size": 22},
                hoverinfo="skip",
                showlegend=False,
            )


def _place(curve: Curve) -> tuple[bool, bool, int]:
    """Return a sort key: curves of one style, which share a trace, stand together, and marked ones last."""
    marked = curve.default or curve.chosen
    place = 0 if marked else list(TransferSet).index(curve.trial.setting.transfer_set)
    return curve.chosen, curve.default, place


def _lines(curves: Sequence[Curve]) -> Trace:
    """Return one trace of several curves, with a gap after each but the last."""
    epochs: list[int | None] = []
    accuracies: list[float | None] = []
    for curve in curves:
        epochs += [*curve.epochs, None]
        accuracies += [*map(percent, curve.accuracies), None]
    return scatter(
        epochs[:-1], accuracies[:-1], "lines", **_style(curves[0]), hoverinfo="skip", showlegend=False
    )


def _ends(curves: Sequence[Curve]) -> Iterator[Trace]:
    style = _style(curves[0])
    for state, (symbol, _) in _ENDED.items():
        ended = [curve for curve in curves if curve.trial.state is state]
        if ended:
            yield scatter(
                [curve.epochs[-1] for curve in ended],
                [percent(curve.accuracies[-1]) for curve in ended],
                "markers",
                marker={"symbol": symbol, "size": 8, "color": style["line"]["color"]},
                opacity=style["opacity"],
                hovertext=[_hover(curve.trial) for curve in ended],
                hoverinfo="text",
                showlegend=False,
            )


def _style(curve: Curve) -> dict[str, Any]:
    if curve.chosen or curve.default:
        return {"line": _CHOSEN_LINE if curve.chosen else _DEFAULT_LINE, "opacity": 1.0}
    return {"line": {"color": TRANSFER_SETS[curve.trial.setting.transfer_set], "width": 1.5}, "opacity": 0.6}


def _legend_of_ends(states: Iterable[TrialState]) -> Iterator[Trace]:
    occurring = set(states)
    for state, (symbol, words) in _ENDED.items():
        if state in occurring:
            yield legend_entry(words, marker={"symbol": symbol, "color": MUTED})


def _color_axis(facts: LandscapeFacts) -> dict[str, Any]:
    bar: dict[str, Any] = {"title": {"text": "validation<br>accuracy"}, **COLOR_BAR}
    if facts.colors is None:
        return {"showscale": False}
    low, high = (100 * end for end in facts.colors)
    if facts.own is None:
        return {"colorscale": WITHOUT_OWN, "cmin": low, "cmax": high, "colorbar": {**bar, "ticksuffix": "%"}}
    bar["tickvals"] = [low, 100 * facts.own, high]
    bar["ticktext"] = [f"≤ {low:.1f}%", f"as it is<br>{facts.own:.1%}", f"{high:.1f}%"]
    return {"colorscale": scale(AROUND_OWN), "cmin": low, "cmax": high, "colorbar": bar}


def _trial_text(trial: TrialRecord) -> str:
    return _hover(trial) + (f"<br>{figure_text(in_a_line(trial.reason))}" if trial.reason else "")


def _hover(trial: TrialRecord) -> str:
    result = "no report" if trial.accuracy is None else f"{trial.accuracy:.1%} after {trial.epochs} epochs"
    return f"<b>trial {trial.number}</b>, {_ENDED[trial.state][1]}<br>{trial.setting}<br>{result}"
