"""Figures of what the settings of all pairs have in common, and of what it costs to find them."""

from __future__ import annotations

from collections.abc import Sequence

from autokd.report.facts.costs import AnytimeFacts
from autokd.report.facts.dimensions import BestFacts, ImportanceFacts, SetForgetting
from autokd.report.figures.common import (
    ZERO,
    Figure,
    axis,
    figure,
    horizontal_line,
    legend_entry,
    name_axis,
    scatter,
)
from autokd.report.palette import CHOSEN, INK, MUTED, TRANSFER_SETS


def best_figure(facts: BestFacts) -> Figure:
    """Draw how often each T and each α was chosen, by transfer set."""
    bars = [
        {
            "type": "bar",
            "x": [part.label for part in bins],
            "y": counts,
            "marker": {"color": color},
            "name": f"on {transfer_set}",
            "legendgroup": transfer_set.value,
            "showlegend": not suffix,
            "hovertemplate": f"%{{y}} pairs on {transfer_set}<extra></extra>",
            "xaxis": f"x{suffix}",
            "yaxis": f"y{suffix}",
        }
        for suffix, bins in (("", facts.temperatures), ("2", facts.alphas))
        for transfer_set, color in TRANSFER_SETS.items()
        if any(counts := [part.counts.get(transfer_set, 0) for part in bins])
    ]
    return figure(
        bars,
        height=380,
        barmode="stack",
        margin={"l": 60, "r": 20, "t": 60, "b": 50},
        xaxis=name_axis("T, nearest power of two", type="category", anchor="y", domain=[0.0, 0.38]),
        yaxis=axis("pairs", anchor="x", domain=[0.0, 1.0]),
        xaxis2=name_axis("weight α (none: on public)", type="category", anchor="y2", domain=[0.43, 1.0]),
        yaxis2=axis(anchor="x2", domain=[0.0, 1.0], matches="y", showticklabels=False),
    )


def importance_figure(facts: ImportanceFacts) -> Figure:
    """Draw a bar for each dimension."""
    bars = {
        "type": "bar",
        "x": [100 * dimension.share for dimension in facts.dimensions],
        "y": [dimension.dimension.replace("_", " ") for dimension in facts.dimensions],
        "orientation": "h",
        "marker": {"color": MUTED},
        "text": [f"{dimension.share:.0%}" for dimension in facts.dimensions],
        "textposition": "outside",
        "cliponaxis": False,
        "hovertemplate": "%{y}: %{x:.1f}%<extra></extra>",
    }
    return figure(
        [bars],
        height=110 + 40 * len(facts.dimensions),
        margin={"l": 110, "r": 50, "t": 20, "b": 50},
        xaxis=axis("share of the variance within pairs", ticksuffix="%", rangemode="tozero"),
        yaxis=name_axis(autorange="reversed"),
    )


def forgotten_figure(facts: Sequence[SetForgetting]) -> Figure:
    """Draw a box for each transfer set, with the mean over pairs beside it."""
    names = ("lowerfence", "q1", "median", "q3", "upperfence")
    boxes = [
        {
            "type": "box",
            "x": [forgotten.transfer_set.value],
            **{name: [quantile] for name, quantile in zip(names, forgotten.quantiles, strict=True)},
            "marker": {"color": TRANSFER_SETS[forgotten.transfer_set]},
            "name": forgotten.transfer_set.value,
            "showlegend": False,
        }
        for forgotten in facts
    ]
    means = scatter(
        [forgotten.transfer_set.value for forgotten in facts],
        [forgotten.mean.value for forgotten in facts],
        "markers",
        marker={"symbol": "diamond", "size": 10, "color": INK},
        hovertext=[f"mean over pairs: {forgotten.mean}" for forgotten in facts],
        hoverinfo="text",
        name="mean over pairs",
    )
    return figure(
        [*boxes, means],
        height=400,
        margin={"l": 60, "r": 20, "t": 50, "b": 50},
        xaxis=name_axis("transfer set", type="category"),
        yaxis=axis("forgetting in pp"),
        shapes=[horizontal_line(0, ZERO)],
    )


def anytime_figure(facts: AnytimeFacts) -> Figure:
    """Draw the best gain so far over what was spent."""
    shares = [100 * point.share for point in facts.points]
    intervals = [point.search.interval for point in facts.points if point.search.interval is not None]
    band = scatter(
        [*shares, *reversed(shares)],
        [interval.high for interval in intervals] + [interval.low for interval in reversed(intervals)],
        "lines",
        fill="toself",
        fillcolor="rgba(213, 94, 0, 0.15)",
        line={"width": 0},
        hoverinfo="skip",
        name="interval over participants",
    )
    search = scatter(
        shares,
        [point.search.value for point in facts.points],
        "lines+markers",
        line={"color": CHOSEN, "width": 3},
        hovertext=[f"{point.share:.1%} of the sweep: {point.search}" for point in facts.points],
        hoverinfo="text",
        name="the search",
    )
    random = scatter(
        shares,
        [point.random for point in facts.points],
        "lines",
        line={"color": MUTED, "width": 2, "dash": "dot"},
        hovertemplate="at random: %{y:.1f} pp<extra></extra>",
        name="swept settings at random",
    )
    sweep, default = {"color": INK, "width": 2}, {"color": INK, "width": 2, "dash": "dash"}
    lines = [legend_entry("the whole sweep", line=sweep), legend_entry("the default", line=default)]
    return figure(
        [*([band] if len(intervals) == len(facts.points) else []), search, random, *lines],
        height=420,
        xaxis=axis("epochs spent, share of the sweep's", ticksuffix="%", type="log"),
        yaxis=axis("gain of the best so far, pp"),
        shapes=[horizontal_line(facts.sweep, sweep), horizontal_line(facts.default, default)],
    )
