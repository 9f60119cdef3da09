"""Figures of a whole federation."""

from __future__ import annotations

from typing import Any

from autokd.core.colors import AROUND_OWN, diverging, legible_on
from autokd.core.setting import Pair
from autokd.recommendation.decision import Action
from autokd.report.facts.federation import MatrixCell, MatrixFacts
from autokd.report.facts.participants import ParticipantsFacts
from autokd.report.figures.common import (
    COLOR_BAR,
    Figure,
    axis,
    figure,
    name_axis,
    percent,
    scale,
    scatter,
    ticks,
)
from autokd.report.palette import CHOSEN, COUNTS, INK, KINDS, MUTED, ON_COUNTS
from autokd.text.escaping import figure_text


def cell_color(cell: MatrixCell, reach: float | None) -> str | None:
    """Return the color of one pair in a matrix: of its value or, where `reach` is None, of its kind."""
    if reach is None:
        return KINDS[cell.kind.value]
    return None if cell.value is None else diverging(cell.value, reach)


def matrix_figure(facts: MatrixFacts) -> Figure:
    """Draw a matrix with teachers as rows and students as columns."""
    everybody = facts.participants
    names = [figure_text(facts.names.label(number)) for number in everybody]
    values = [[_value(facts, Pair(t, s)) if t != s else None for s in everybody] for t in everybody]
    heatmap = {"type": "heatmap", "z": values, "x": names, "y": names, "xgap": 1, "ygap": 1}
    annotations = [
        {
            "x": names[everybody.index(pair.student)],
            "y": names[everybody.index(pair.teacher)],
            "text": "<br>".join(cell.lines),
            "showarrow": False,
            "font": {"size": 11, "color": INK if color is None else legible_on(color)},
        }
        for pair, cell in facts.cells.items()
        for color in [cell_color(cell, facts.reach)]
    ]
    return figure(
        [{**heatmap, "hoverinfo": "skip", **_colors(facts)}],
        height=540,
        width=700,
        margin={"l": 60, "r": 20, "t": 110, "b": 20},
        title={"text": facts.title, "x": 0, "xref": "paper", "y": 0.97},
        annotations=annotations,
        xaxis=name_axis("student", side="top", type="category"),
        yaxis=name_axis("teacher", autorange="reversed", type="category"),
    )


def histogram_figure(facts: ParticipantsFacts) -> Figure:
    """Draw the number of private examples by participant and class."""
    counts = [list(participant.histogram) for participant in facts.participants]
    heatmap = {
        "type": "heatmap",
        "z": counts,
        "y": [_label(facts, participant.number) for participant in facts.participants],
        "text": [[str(count) if count else "" for count in row] for row in counts],
        "texttemplate": "%{text}",
        "textfont": {"color": ON_COUNTS},
        "hovertemplate": "participant %{y}: %{z}<extra></extra>",
        "colorscale": scale(COUNTS),
        "xgap": 1,
        "ygap": 1,
        "colorbar": {**COLOR_BAR, "title": {"text": "private<br>examples"}},
    }
    return figure(
        [heatmap],
        height=120 + 30 * len(facts.participants),
        xaxis=name_axis("class", **ticks(facts.classes)),
        yaxis=name_axis("participant", autorange="reversed", type="category"),
    )


def accuracy_figure(facts: ParticipantsFacts) -> Figure:
    """Draw the accuracy on test of every participant, before and after following its decision."""
    participants = facts.participants
    names = [_label(facts, participant.number) for participant in participants]
    changed = [
        (participant, decision)
        for participant in participants
        if (decision := participant.decision) is not None and decision.chosen.way.action is not Action.KEEP
    ]
    traces = [
        scatter(
            [percent(participant.accuracy), percent(participant.after)],
            [_label(facts, participant.number)] * 2,
            "lines",
            line={"color": MUTED, "width": 2},
            hoverinfo="skip",
            showlegend=False,
        )
        for participant, _ in changed
    ]
    gains = [decision.chosen.test for _, decision in changed]
    traces += [
        scatter(
            [percent(participant.accuracy) for participant in participants],
            names,
            "markers",
            marker={"symbol": "circle-open", "size": 11, "color": INK, "line": {"width": 2}},
            name="as it is",
            hovertemplate="participant %{y} as it is: %{x:.1f}%<extra></extra>",
        ),
        scatter(
            [percent(participant.after) for participant, _ in changed],
            [_label(facts, participant.number) for participant, _ in changed],
            "markers",
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [gain.high - gain.mean for gain in gains],
                "arrayminus": [gain.mean - gain.low for gain in gains],
                "color": CHOSEN,
                "thickness": 1.5,
            },
            marker={"symbol": "circle", "size": 11, "color": CHOSEN},
            name="after the decision",
            hovertext=[
                f"participant {_label(facts, participant.number)}, "
                f"{figure_text(decision.chosen.way.words)}: {decision.chosen.test}"
                for participant, decision in changed
            ],
            hoverinfo="text",
        ),
    ]
    order = {"autorange": "reversed", "categoryorder": "array", "categoryarray": names, "type": "category"}
    return figure(
        traces,
        height=130 + 28 * len(participants),
        margin={"l": 60, "r": 20, "t": 50, "b": 50},
        xaxis=axis("accuracy on test", ticksuffix="%"),
        yaxis=name_axis("participant", **order),
    )


def _label(facts: ParticipantsFacts, number: int) -> str:
    """Return number and name of a participant, in which plotly finds no markup."""
    return figure_text(facts.names.label(number))


def _value(facts: MatrixFacts, pair: Pair) -> float | None:
    cell = facts.cells.get(pair)
    if cell is None:
        return None
    return list(facts.kinds[0]).index(cell.kind) if facts.reach is None else cell.value


def _colors(facts: MatrixFacts) -> dict[str, Any]:
    if facts.reach is not None:
        bar = {**COLOR_BAR, "title": {"text": "pp on test"}}
        return {"colorscale": scale(AROUND_OWN), "colorbar": bar, "zmin": -facts.reach, "zmax": facts.reach}
    kinds = [kind.value for kind in facts.kinds[0]]
    count = len(kinds)
    words = [kind.replace("_", " ") for kind in kinds]
    bar = {**COLOR_BAR, "tickvals": list(range(count)), "ticktext": words}
    steps = [[end / count, KINDS[kind]] for place, kind in enumerate(kinds) for end in (place, place + 1)]
    return {"colorscale": steps, "colorbar": bar, "zmin": -0.5, "zmax": count - 0.5}
