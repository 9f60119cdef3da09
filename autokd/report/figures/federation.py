"""Figures of a whole federation."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import plotly.graph_objects as go

from autokd.colours import AROUND_OWN, diverging, legible_on
from autokd.core.setting import Pair
from autokd.recommendation import Verdict
from autokd.report.facts.federation import Cell, MatrixFacts
from autokd.report.facts.participants import ParticipantsFacts
from autokd.report.figures.common import AXIS, PLAIN_AXIS, layout, literal, percent, scale
from autokd.report.palette import CHOSEN, COUNTS, INK, MUTED, VERDICTS


def cell_colour(cell: Cell, reach: float | None) -> str | None:
    """Of one pair in a matrix: its value on the scale, or where there is no scale its verdict."""
    if reach is None:
        return VERDICTS[cell.verdict]
    return None if cell.value is None else diverging(cell.value, reach)


def matrix_figure(facts: MatrixFacts) -> go.Figure:
    """Teacher downwards, student across."""
    everybody = range(facts.participants)
    verdicts = list(VERDICTS)
    values: list[list[float | None]] = []
    for teacher in everybody:
        row: list[float | None] = []
        for student in everybody:
            cell = None if teacher == student else facts.cells.get(Pair(teacher, student))
            if cell is None:
                row.append(None)
            else:
                row.append(verdicts.index(cell.verdict) if facts.reach is None else cell.value)
        values.append(row)
    names = [str(number) for number in everybody]
    figure = go.Figure(
        go.Heatmap(z=values, x=names, y=names, xgap=1, ygap=1, hoverinfo="skip", **_colours(facts))
    )
    for pair, cell in facts.cells.items():
        colour = cell_colour(cell, facts.reach)
        figure.add_annotation(
            x=str(pair.student),
            y=str(pair.teacher),
            text="<br>".join(cell.lines),
            showarrow=False,
            font={"size": 11, "color": INK if colour is None else legible_on(colour)},
        )
    axis = {**PLAIN_AXIS, "type": "category"}
    figure.update_xaxes(title="student", side="top", **axis)
    figure.update_yaxes(title="teacher", autorange="reversed", **axis)
    figure.update_layout(**layout(height=540, width=700, margin={"l": 60, "r": 20, "t": 110, "b": 20}))
    figure.update_layout(title={"text": facts.title, "x": 0, "xref": "paper", "y": 0.97})
    return figure


def histogram_figure(facts: ParticipantsFacts) -> go.Figure:
    """Private examples by participant and class."""
    counts = [list(one.histogram) for one in facts.participants]
    figure = go.Figure(
        go.Heatmap(
            z=counts,
            y=[str(one.number) for one in facts.participants],
            text=[[str(count) if count else "" for count in row] for row in counts],
            texttemplate="%{text}",
            hovertemplate="participant %{y}: %{z}<extra></extra>",
            colorscale=scale(COUNTS),
            xgap=1,
            ygap=1,
            colorbar={"title": {"text": "private<br>examples"}, "thickness": 14, "outlinewidth": 0},
        )
    )
    names = {"tickvals": list(range(len(facts.classes))), "ticktext": list(map(literal, facts.classes))}
    figure.update_xaxes(title="class", **names, **PLAIN_AXIS)
    figure.update_yaxes(title="participant", autorange="reversed", **{**PLAIN_AXIS, "type": "category"})
    figure.update_layout(
        **layout(height=120 + 30 * len(facts.participants), margin={"l": 60, "r": 20, "t": 20, "b": 50})
    )
    return figure


def accuracy_figure(facts: ParticipantsFacts) -> go.Figure:
    """Accuracy on test of every participant, before and after its best meeting."""
    figure = go.Figure()
    there = facts.participants
    improved = [one for one in there if one.best is not None]
    for one in improved:
        figure.add_scatter(
            x=[percent(one.accuracy), percent(one.after)],
            y=[str(one.number)] * 2,
            mode="lines",
            line={"color": MUTED, "width": 2},
            hoverinfo="skip",
            showlegend=False,
        )
    figure.add_scatter(
        x=[percent(one.accuracy) for one in there],
        y=[str(one.number) for one in there],
        mode="markers",
        marker={"symbol": "circle-open", "size": 11, "color": INK, "line": {"width": 2}},
        name="as it is",
        hovertemplate="participant %{y} as it is: %{x:.1f}%<extra></extra>",
    )
    figure.add_scatter(
        x=[percent(one.after) for one in improved],
        y=[str(one.number) for one in improved],
        error_x=_beyond(facts),
        mode="markers",
        marker={"symbol": "circle", "size": 11, "color": CHOSEN},
        name="after its best meeting",
        hovertext=[
            f"participant {one.number}, position {one.best.position} with {one.best.partner}: {one.best.gain}"
            for one in improved
            if one.best is not None
        ],
        hoverinfo="text",
    )
    figure.update_xaxes(title="accuracy on test", ticksuffix="%", **AXIS)
    figure.update_yaxes(
        title="participant",
        autorange="reversed",
        categoryorder="array",
        categoryarray=[str(one.number) for one in there],
        **{**PLAIN_AXIS, "type": "category"},
    )
    figure.update_layout(**layout(height=130 + 28 * len(there), margin={"l": 60, "r": 20, "t": 50, "b": 50}))
    return figure


def _beyond(facts: ParticipantsFacts) -> dict[str, Any]:
    """The interval of the gain, from the accuracy that it leads to."""
    gains = [one.best.gain for one in facts.participants if one.best is not None]
    return {
        "type": "data",
        "symmetric": False,
        "array": [gain.high - gain.mean for gain in gains],
        "arrayminus": [gain.mean - gain.low for gain in gains],
        "color": CHOSEN,
        "thickness": 1.5,
    }


def _colours(facts: MatrixFacts) -> dict[str, Any]:
    if facts.reach is not None:
        bar = {"title": {"text": "pp on test"}, "thickness": 14, "outlinewidth": 0}
        return {
            "colorscale": scale(AROUND_OWN),
            "zmin": -facts.reach,
            "zmax": facts.reach,
            "colorbar": bar,
        }
    steps = [number / len(VERDICTS) for number in range(len(VERDICTS) + 1)]
    stepped = [
        [end, colour] for ends, colour in zip(pairwise(steps), VERDICTS.values(), strict=True) for end in ends
    ]
    return {
        "colorscale": stepped,
        "zmin": -0.5,
        "zmax": len(VERDICTS) - 0.5,
        "colorbar": {
            "tickvals": list(range(len(VERDICTS))),
            "ticktext": [verdict.value for verdict in Verdict],
            "thickness": 14,
            "outlinewidth": 0,
        },
    }
