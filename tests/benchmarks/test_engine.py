"""What the engine's benchmark compares: two sides that do the same steps."""

from __future__ import annotations

import json
import multiprocessing
from pathlib import Path

import numpy as np
import pytest
import torch

from autokd.compute.device import Compute
from autokd.config.federation import ArchitectureConfig
from autokd.core.setting import Split
from autokd.distillation import Run, examples
from autokd.federation.networks import network
from benchmarks.earlier_engine import digest
from benchmarks.engine import SIDES, bare, keep, measured, shown, spread, turns
from benchmarks.engine_cases import RANDOM, SETTING, Case, Random, case

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
    assert speeds.shape == (3, len(SIDES))
    by_side = dict(zip(SIDES, speeds.T, strict=True))
    for side in ("training", "whole", "bare"):
        assert (by_side[side] > 0).all()
    # Nobody has started it here.
    assert np.isnan(by_side["earlier"]).all()
    # Setting up and judging cost time.
    assert (by_side["whole"] < by_side["training"]).all()


def test_figures_are_ratios_within_turns_and_leave_out_what_was_not_measured() -> None:
    """On random images a whole run is not told, and a side without figures is not either."""
    speeds = np.array([[2.0, 1.0, 4.0, np.nan, 3.0], [6.0, 1.0, 4.0, np.nan, 3.0]])
    ratios = shown("cnn", 1, speeds)["ratios"]
    assert list(ratios) == ["a run, of the best bare loop", "a run in bfloat16, of one in float32"]
    assert ratios["a run, of the best bare loop"] == [0.75, 1.0, 1.25]
    assert "a whole run, of the best bare loop" in shown("digits", 1, speeds)["ratios"]


def test_a_file_keeps_what_it_has_of_other_cases(tmp_path: Path) -> None:
    out = tmp_path / "engine.json"
    for name, workers, figure in (("cnn", 1, 1), ("digits", 1, 2), ("cnn", 2, 3), ("cnn", 1, 4)):
        keep(out, name, workers, {"turns": figure})
    content = json.loads(out.read_text())
    assert content["torch"] == str(torch.__version__)
    cases = {"digits": {"1": {"turns": 2}}, "cnn": {"1": {"turns": 4}, "2": {"turns": 3}}}
    assert content["cases"] == cases
    assert list(content["cases"]) == list(cases)
    # Figures of another version or machine are not compared with these.
    for other in ({"torch": "1.0"}, {"processor": "4 cores"}, {"earlier_commit": "0"}):
        out.write_text(json.dumps({**content, **other}))
        keep(out, "cnn", 2, {})
        assert json.loads(out.read_text()) == {**content, "cases": {"cnn": {"2": {}}}}


def test_a_digest_is_that_of_the_weights(small: Case) -> None:
    students = [network(small.federation, number) for number in (0, 1)]
    assert digest(students[0]) == digest(students[1])
    with torch.no_grad():
        next(students[1].parameters()).add_(1e-6)
    assert digest(students[0]) != digest(students[1])


def test_a_spread_is_quartiles_around_the_median() -> None:
    assert spread(np.array([1.0, 2.0, 3.0, 4.0, 5.0])) == (2.0, 3.0, 4.0)


@pytest.mark.slow
def test_workers_add_up_and_one_that_dies_is_told(tmp_path: Path) -> None:
    assert measured("cnn", tmp_path, 1, 2).shape == (1, len(SIDES))
    with pytest.raises(RuntimeError, match="a worker of nonsense died"):
        measured("nonsense", tmp_path, 1, 1)
