"""Tuners of other libraries on a small grid, in their own environment; skipped where that does not exist."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from benchmarks.peers.__main__ import LIBRARIES
from benchmarks.peers.problem import Order, Problem, Setting, read_answers, write_orders

ROOT = Path(__file__).parents[2]
PEERS = Path(os.environ.get("AUTOKD_PEERS", ROOT / ".venv-peers")) / "bin" / "python"
SETTINGS = (
    *(Setting(t, a, s) for t in (1.0, 2.0, 4.0) for a in (0.5, 1.0) for s in ("student", "teacher", "both")),
    *(Setting(t, None, "public") for t in (1.0, 2.0, 4.0)),
)
DEFAULT = SETTINGS.index(Setting(1.0, 0.5, "student"))
BUDGET = 40


def problem() -> Problem:
    """Higher temperatures are better, and `both`; one setting diverges."""
    ends = np.array(
        [
            0.3 + 0.1 * np.log2(setting.temperature) + 0.2 * (setting.transfer_set == "both")
            for setting in SETTINGS
        ]
    )
    curves = ends[:, None] * np.array([0.5, 0.8, 1.0])
    curves[SETTINGS.index(Setting(1.0, None, "public")), 1:] = np.nan
    return Problem(
        settings=SETTINGS,
        default=DEFAULT,
        rungs=(1, 3, 10),
        accuracy=np.stack([curves, curves + 0.05, curves - 0.05])[:, :, None, :],
    )


@pytest.mark.skipif(not PEERS.exists(), reason="the peers' environment is not installed: make peers")
@pytest.mark.slow
@pytest.mark.parametrize("peer", ["NePS PriorBand", "NePS piBO", "Ax BOTL"])
def test_a_peer_searches_the_grid_from_the_default_on_and_twice_the_same(peer: str, tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("problem.npz", "orders.json", "answers.json")]
    problem().save(files[0])
    known = {1: (0, 3, 7, 11), 2: (0, 3, 5, 9)}
    orders = [Order(seed=0, answers=0, pairs=(0,), budget=BUDGET, known=known)] * 2
    write_orders(files[1], orders)
    done = subprocess.run(
        [PEERS, "-m", "benchmarks.peers", peer, *files],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    answers = read_answers(files[2])
    (first,), (again,) = answers.steps
    assert first == again
    assert (first[0].column, first[0].epochs) == (DEFAULT, 10)
    assert sum(step.epochs for step in first) >= BUDGET
    assert len({step.column for step in first}) > 3
    library = next(package for start, (_, package) in LIBRARIES.items() if peer.startswith(start))
    assert answers.versions.keys() == {library}
