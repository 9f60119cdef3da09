"""What those who know more than a search could answer, on a recorded table."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.simulation.ceiling import KNOWING, ceilings
from benchmarks.simulation.table import Table


def test_nobody_finds_more_than_who_was_told_the_test_figure(table: Table) -> None:
    for seed in range(table.seeds):
        figures = ceilings(table, seed)
        assert tuple(figures) == KNOWING
        assert max(figures.values()) == figures["the run's own test figure"] > 1


def test_where_both_seeds_and_all_splits_agree_there_is_nothing_beyond_the_sweep(table: Table) -> None:
    same = replace(table, accuracy=np.broadcast_to(table.accuracy[:, :, :1, :, :1], table.accuracy.shape))
    for share in ceilings(replace(same, own=np.repeat(table.own[:, :1], 3, axis=1)), 1).values():
        assert share == pytest.approx(1.0)
