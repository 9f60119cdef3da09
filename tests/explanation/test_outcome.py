"""Whether an answer wins or loses against an alternative, as it is told."""

from __future__ import annotations

import pytest

from autokd.core.setting import Split
from autokd.explanation.comparison import Line
from autokd.statistics.paired import Interval

WON, LOST, OPEN = Interval(3.0, 1.0, 5.0), Interval(-3.0, -5.0, -1.0), Interval(-0.8, -3.5, 1.9)


@pytest.mark.parametrize(
    ("confirmation", "test", "outcome"),
    [
        (WON, WON, "wins"),
        (LOST, LOST, "loses"),
        (LOST, OPEN, "loses on confirmation only"),
        (WON, LOST, "wins on confirmation only"),
        (OPEN, WON, ""),
    ],
)
def test_the_outcome_agrees_with_the_figures_beside_it(
    confirmation: Interval, test: Interval, outcome: str
) -> None:
    difference = {Split.CONFIRMATION: confirmation, Split.TEST: test}
    assert Line(key="k", words="w", gain=difference, difference=difference).outcome == outcome
    assert Line(key="k", words="w").outcome == ""
