from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go
import pytest

from autokd.core.records import TrialRecord
from autokd.core.setting import TransferSet
from autokd.report.facts.pairs import curve_facts, landscape_facts
from autokd.report.figures import pairs
from autokd.report.palette import CHOSEN, TRANSFER_SETS
from tests.report.samples import BASELINE, DIED, HOT, PUBLIC, STOPPED, TRIALS, WON


def landscape_figure(*facts: Any) -> Any:
    """The figure as plotly's own classes read it, which refuse a property that plotly.js does not have."""
    return go.Figure(pairs.landscape_figure(*facts))


def curve_figure(*facts: Any) -> Any:
    return go.Figure(pairs.curve_figure(*facts))


def drawn(figure: Any, mode: str) -> list[Any]:
    """Traces of data, the legend's own entries left out."""
    return [trace for trace in figure.data if trace.mode == mode and trace.x[0] is not None]


def legend(figure: Any) -> list[str]:
    return [trace.name for trace in figure.data if trace.showlegend is not False]


def test_every_trial_of_the_landscape_is_drawn_where_it_lies() -> None:
    marks = drawn(landscape_figure(landscape_facts(TRIALS, HOT, own=0.6)), "markers")
    trials = {
        (trace.x[i], trace.y[i], trace.marker.symbol)
        for trace in marks
        for i in range(len(trace.x))
        if trace.hoverinfo == "text"
    }
    assert trials == {
        (1.0, 0.5, "circle"),
        (4.0, 0.1, "circle"),
        (8.0, 0.0, "x"),
        (2.0, 0.75, "triangle-down"),
    }
    rings = {(trace.x[0], trace.y[0], trace.marker.symbol) for trace in marks if trace.hoverinfo == "skip"}
    assert rings == {(1.0, 0.5, "square-open"), (4.0, 0.1, "circle-open")}


def test_colours_of_the_landscape_are_accuracies_in_percent_on_one_scale_for_all_panels() -> None:
    figure = landscape_figure(landscape_facts((BASELINE, WON, STOPPED), HOT, own=0.6))
    marks = [trace for trace in drawn(figure, "markers") if trace.hoverinfo == "text"]
    assert sorted(colour for trace in marks for colour in trace.marker.color) == pytest.approx([20, 55, 70])
    assert {trace.marker.coloraxis for trace in marks} == {"coloraxis"}
    axis = figure.layout.coloraxis
    assert (axis.cmin, axis.cmax) == (pytest.approx(50), pytest.approx(70))
    assert list(axis.colorbar.ticktext) == ["≤ 50.0%", "as it is<br>60.0%", "70.0%"]


@pytest.mark.parametrize(
    ("trials", "titles"),
    [
        ((BASELINE,), ["on student"]),
        ((STOPPED,), ["on public"]),
        ((WON, STOPPED), ["on both", "on public"]),
        (TRIALS, ["on student", "on both", "on public"]),
        ((DIED,), ["on both"]),
        ((), []),
    ],
)
def test_each_transfer_set_that_was_tried_has_its_panel(
    trials: Sequence[TrialRecord], titles: list[str]
) -> None:
    figure = landscape_figure(landscape_facts(trials, None, own=0.6))
    assert [annotation.text for annotation in figure.layout.annotations] == titles


def test_the_legend_names_what_is_there_and_nothing_else() -> None:
    alone = landscape_figure(landscape_facts((BASELINE,), None))
    assert legend(alone) == ["the default", "ran to the full budget"]
    everything = landscape_figure(landscape_facts(TRIALS, PUBLIC))
    ends = ["ran to the full budget", "stopped early", "failed"]
    assert legend(everything) == ["the default", "the winner", *ends]


def test_a_line_for_each_trial_that_reported_and_a_mark_where_it_ended() -> None:
    figure = curve_figure(curve_facts(TRIALS, HOT, own=0.6))
    stopped, default, won = drawn(figure, "lines")
    assert stopped.line.color == TRANSFER_SETS[TransferSet.PUBLIC]
    assert list(default.y) == pytest.approx([60, 50, 55])
    assert default.line.dash == "dash"
    assert won.line.color == CHOSEN
    ends = [(trace.x[0], round(trace.y[0], 9), trace.marker.symbol) for trace in drawn(figure, "markers")]
    assert ends == [(3, 20, "x"), (10, 55, "circle"), (10, 70, "circle")]
    assert legend(figure)[0] == "the model as it is, 60.0%"


def test_what_stands_in_a_hover_is_text() -> None:
    figure = curve_figure(curve_facts((WON,), HOT))
    (end,) = drawn(figure, "markers")
    label = "<b>trial 1</b>, ran to the full budget<br>T=4 α=0.1 on both<br>70.0% after 10 epochs"
    assert end.hovertext == (label,)
