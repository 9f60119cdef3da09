"""The picture of the tuners: what it says beyond what was measured, and that every panel has its lines."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.simulation.curves import COSTS, LINES, curve, figure

TWO_SEEDS = [[(0.05, 0.4), (0.1, 0.8)], [(0.05, 0.6), (0.15, 1.0)]]


def test_a_curve_is_drawn_where_it_was_measured() -> None:
    drawn = curve([[(cost, share) for cost, share in seed] for seed in TWO_SEEDS])
    there = COSTS[~np.isnan(drawn.mean)]
    assert (there[0], there[-1]) == pytest.approx((0.05, 0.15))
    at = {round(float(cost), 4): mean for cost, mean in zip(COSTS, drawn.mean, strict=True)}
    assert at[0.05] == pytest.approx(0.5)
    assert at[0.1] == pytest.approx((0.8 + 0.8) / 2)
    # The first seed's search had nothing left to try.
    assert at[0.15] == pytest.approx((0.8 + 1.0) / 2)
    np.testing.assert_allclose(drawn.deviation[~np.isnan(drawn.mean)].max(), 0.1, atol=1e-9)


def test_one_setting_for_all_has_its_share_at_every_cost_from_there_on() -> None:
    drawn = curve([[(0.025, 0.9)], [(0.025, 0.7)]])
    np.testing.assert_allclose(drawn.mean[COSTS >= 0.025], 0.8)
    assert np.isnan(drawn.mean[COSTS < 0.025]).all()


def test_the_figure_has_each_contestant_of_a_panel_and_names_it_once() -> None:
    seeds = {"cost_and_share_by_seed": TWO_SEEDS}
    drawn = figure(
        {
            "digits": {"newcomer": dict.fromkeys(LINES, seeds), "batch": {"autokd": seeds}},
            "digits_plain": {"newcomer": {"autokd": seeds, "not drawn": seeds}},
        }
    )
    lines = [trace for trace in drawn.data if trace.mode == "lines"]
    assert [trace.name for trace in lines].count("autokd") == 3
    assert {trace.name for trace in lines} == set(LINES)
    named = [trace.name for trace in lines if trace.showlegend]
    assert sorted(named) == sorted(set(named)) == sorted(LINES)
    assert lines[0].name != "autokd", "it lies above the others"
