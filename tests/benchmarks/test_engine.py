"""What the engine's benchmark compares: two sides that do the same steps."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import numpy as np
import pytest
import torch

from autokd.compute.device import Compute
from autokd.config.federation import ArchitectureConfig
from autokd.core.setting import Split
from autokd.distillation import Run, examples
from autokd.federation.federation import network
from benchmarks.engine import RANDOM, SETTING, Case, Random, bare, case, measured, spread, turns

SMALL = Random(architecture="cnn", options={"widths": [4, 8]}, images=40, batch_size=8, epochs=2)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Case:
    monkeypatch.setitem(RANDOM, "cnn", SMALL)
    return case("cnn", Path("nowhere"))


def test_a_random_federation_is_one_that_runs_take(small: Case) -> None:
    assert small.federation.data.images.shape[1:] == (3, 32, 32)
    assert len(examples(small.federation, small.pair, SETTING.transfer_set)) == SMALL.images
    assert small.federation.participants[0].architecture == ArchitectureConfig(
        name="cnn", options={"widths": [4, 8]}
    )
    assert (small.recipe.epochs, small.recipe.batch_size, tuple(small.rungs)) == (2, 8, (2,))


def test_both_sides_do_the_same_steps(small: Case) -> None:
    """In the same order, so that they end with the same student, up to rounding."""
    _, theirs = bare(small)
    run = Run(
        small.federation,
        small.pair,
        SETTING,
        seed=0,
        recipe=small.recipe,
        rungs=small.rungs,
        splits=(Split.VALIDATION,),
        compute=Compute(),
    )
    *_, _last = run
    before = network(small.federation, small.pair.student).state_dict()
    ours, others = run.student.state_dict(), theirs.state_dict()
    for name, value in ours.items():
        torch.testing.assert_close(value, others[name], rtol=1e-4, atol=1e-5)
    assert any((ours[name] != before[name]).any() for name in ours)


def test_turns_are_counted_without_the_first(small: Case) -> None:
    speeds = turns(small, 3, multiprocessing.get_context("spawn").Barrier(1))
    assert speeds.shape == (3, 3)
    assert (speeds > 0).all()
    # Setting up and judging cost time.
    assert (speeds[:, 1] < speeds[:, 0]).all()


def test_a_spread_is_quartiles_around_the_median() -> None:
    assert spread(np.array([1.0, 2.0, 3.0, 4.0, 5.0])) == (2.0, 3.0, 4.0)


@pytest.mark.slow
def test_workers_add_up_and_one_that_dies_is_told(tmp_path: Path) -> None:
    assert measured("cnn", tmp_path, 1, 2).shape == (1, 3)
    with pytest.raises(RuntimeError, match="a worker of nonsense died"):
        measured("nonsense", tmp_path, 1, 1)
