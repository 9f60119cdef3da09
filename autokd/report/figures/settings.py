"""Figures of what settings have in common over all pairs, and of what it costs to find them."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from autokd.report.facts.costs import AnytimeFacts
from autokd.report.facts.dimensions import BestFacts, Forgotten, ImportanceFacts
from autokd.report.figures.common import AXIS, PLAIN_AXIS, ZERO, layout
from autokd.report.palette import CHOSEN, INK, MUTED, TRANSFER_SETS


def best_figure(facts: BestFacts) -> go.Figure:
    """How often each T and each α was chosen, by transfer set."""
    figure = make_subplots(
        rows=1, cols=2, shared_yaxes=True, column_widths=[0.4, 0.6], horizontal_spacing=0.05
    )
    for column, bins in enumerate((facts.temperatures, facts.alphas), 1):
        for transfer_set, colour in TRANSFER_SETS.items():
            counts = [one.counts.get(transfer_set, 0) for one in bins]
            if any(counts):
                figure.add_bar(
                    x=[one.label for one in bins],
                    y=counts,
                    marker={"color": colour},
                    name=f"on {transfer_set}",
                    legendgroup=transfer_set.value,
                    showlegend=column == 1,
                    hovertemplate=f"%{{y}} pairs on {transfer_set}<extra></extra>",
                    row=1,
                    col=column,
                )
    figure.update_xaxes(**{**PLAIN_AXIS, "type": "category"})
    figure.update_xaxes(title="T, nearest power of two", row=1, col=1)
    figure.update_xaxes(title="weight α (none: on public)", row=1, col=2)
    figure.update_yaxes(**AXIS)
    figure.update_yaxes(title="pairs", row=1, col=1)
    figure.update_layout(**layout(height=380, barmode="stack", margin={"l": 60, "r": 20, "t": 60, "b": 50}))
    return figure


def importance_figure(facts: ImportanceFacts) -> go.Figure:
    """A bar for each dimension."""
    figure = go.Figure(
        go.Bar(
            x=[100 * one.share for one in facts.dimensions],
            y=[one.dimension.replace("_", " ") for one in facts.dimensions],
            orientation="h",
            marker={"color": MUTED},
            text=[f"{one.share:.0%}" for one in facts.dimensions],
            textposition="outside",
            cliponaxis=False,
            hovertemplate="%{y}: %{x:.1f}%<extra></extra>",
        )
    )
    figure.update_xaxes(
        title="share of the variance within pairs", ticksuffix="%", rangemode="tozero", **AXIS
    )
    figure.update_yaxes(autorange="reversed", **PLAIN_AXIS)
    figure.update_layout(
        **layout(height=110 + 40 * len(facts.dimensions), margin={"l": 110, "r": 50, "t": 20, "b": 50})
    )
    return figure


def forgotten_figure(facts: Sequence[Forgotten]) -> go.Figure:
    """A box for each transfer set, with the mean over pairs beside it."""
    figure = go.Figure()
    for one in facts:
        least, quarter, half, three_quarters, most = one.quantiles
        figure.add_box(
            x=[one.transfer_set.value],
            lowerfence=[least],
            q1=[quarter],
            median=[half],
            q3=[three_quarters],
            upperfence=[most],
            marker={"color": TRANSFER_SETS[one.transfer_set]},
            name=one.transfer_set.value,
            showlegend=False,
        )
    figure.add_scatter(
        x=[one.transfer_set.value for one in facts],
        y=[one.mean.value for one in facts],
        mode="markers",
        marker={"symbol": "diamond", "size": 10, "color": INK},
        hovertext=[f"mean over pairs: {one.mean}" for one in facts],
        hoverinfo="text",
        name="mean over pairs",
    )
    figure.add_hline(y=0, line=ZERO)
    figure.update_xaxes(title="transfer set", **{**PLAIN_AXIS, "type": "category"})
    figure.update_yaxes(title="forgetting in pp", **AXIS)
    figure.update_layout(**layout(height=400, margin={"l": 60, "r": 20, "t": 50, "b": 50}))
    return figure


def anytime_figure(facts: AnytimeFacts) -> go.Figure:
    """The best gain so far over what was spent."""
    shares = [100 * one.share for one in facts.points]
    intervals = [(one.search.value, one.search.interval) for one in facts.points]
    figure = go.Figure()
    if all(interval is not None for _, interval in intervals):
        lows = [interval.low for _, interval in intervals if interval is not None]
        highs = [interval.high for _, interval in intervals if interval is not None]
        figure.add_scatter(
            x=[*shares, *reversed(shares)],
            y=[*highs, *reversed(lows)],
            fill="toself",
            fillcolor="rgba(213, 94, 0, 0.15)",
            line={"width": 0},
            mode="lines",
            hoverinfo="skip",
            name="interval over participants",
        )
    figure.add_scatter(
        x=shares,
        y=[one.search.value for one in facts.points],
        mode="lines+markers",
        line={"color": CHOSEN, "width": 3},
        hovertext=[f"{one.share:.1%} of the sweep: {one.search}" for one in facts.points],
        hoverinfo="text",
        name="the search",
    )
    figure.add_scatter(
        x=shares,
        y=[one.random for one in facts.points],
        mode="lines",
        line={"color": MUTED, "width": 2, "dash": "dot"},
        hovertemplate="at random: %{y:.1f} pp<extra></extra>",
        name="swept settings at random",
    )
    figure.add_hline(y=facts.sweep, line={"color": INK, "width": 2})
    figure.add_scatter(
        x=[None], y=[None], mode="lines", line={"color": INK, "width": 2}, name="the whole sweep"
    )
    figure.add_hline(y=facts.default, line={"color": INK, "width": 2, "dash": "dash"})
    figure.add_scatter(
        x=[None], y=[None], mode="lines", line={"color": INK, "width": 2, "dash": "dash"}, name="the default"
    )
    figure.update_xaxes(title="epochs spent, share of the sweep's", ticksuffix="%", type="log", **AXIS)
    figure.update_yaxes(title="gain of the best so far, pp", **AXIS)
    figure.update_layout(**layout(height=420))
    return figure
