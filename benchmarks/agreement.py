"""Whether the simulator tells the truth: the real `autokd tune --all` on the grid, held against it.

    python -m benchmarks.agreement [--trials 8] [--simulations 10]

Tunes all 90 pairs of `digits` from cold on Ray workers, each in its own position, on the grid `poster_sweep`,
and looks up on the recorded table what the setting that validation prefers is worth on test. Since a run is a
function of its arguments, its numbers are those of the table, to the last bit, if the table was recorded on a
machine that computes alike; the name of the federation, which holds a hash of its weights, tells.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from itertools import permutations
from pathlib import Path
from time import perf_counter

import numpy as np

from autokd.compute.device import Compute
from autokd.core.records import TrialState
from autokd.core.setting import Pair, Position
from autokd.search.study_names import study_name
from autokd.workflows.status import status
from autokd.workflows.tune import tune_all
from autokd.workspace import Workspace
from benchmarks.simulation.measure import answer, yardstick
from benchmarks.simulation.policies import POLICIES
from benchmarks.simulation.scenarios import cold
from benchmarks.simulation.table import load

RECORDED = Compute(memory_format="contiguous")
"""As the table was recorded."""
SEED = 0
"""The seed index of every search, and so the one of the table's seeds to compare with."""


def main() -> None:
    """Tune, look up, simulate, and print all three."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trials", type=int, default=8)
    parser.add_argument("--simulations", type=int, default=10)
    options = parser.parse_args()
    table = load("digits")
    with tempfile.TemporaryDirectory() as home:
        workspace = Workspace.open("digits", home=Path(home), space="poster_sweep", trials=options.trials)
        pairs = [Pair(*two) for two in permutations(range(workspace.config.federation.size), 2)]
        began = perf_counter()
        tune_all(workspace, pairs, position=Position.STUDENT, compute=RECORDED)
        seconds = perf_counter() - began
        seen = status(workspace)
        differing, answers = 0, {}
        with workspace.open_store(create=False) as store:
            for pair in pairs:
                name = study_name(seen.federation, workspace.config, workspace.space, pair)
                whole = [trial for trial in store.trials(name) if trial.state is TrialState.COMPLETE]
                row = table.accuracy[table.row[pair], :, SEED, -1, 0]
                differing += sum(trial.accuracy != row[table.column[trial.setting]] for trial in whole)
                answers[pair] = answer(table, SEED, pair, [trial.setting for trial in whole])
    share = yardstick(table, SEED).share(answers)
    # Seeds of a simulation decide on the order of pairs; with an even one the table's first seed answers.
    simulated = [
        cold(table, POLICIES["autokd"], table.seeds * number, options.trials)
        for number in range(options.simulations)
    ]
    costs, shares = zip(*simulated, strict=True)
    print(
        f"{seen.federation}, {options.trials} trials a pair, {seconds:.0f} s, load {os.getloadavg()[0]:.1f}"
    )
    print(f"  runs to the end that differ from the table's  {differing:10}")
    print(f"  search, of the sweep's epochs: real           {seen.cost[0]:10.1%}")
    print(f"                                 simulated      {np.mean(costs):10.1%}")
    print(f"  share of the sweep's gain: real               {share:10.3f}")
    print(f"                             simulated          {np.mean(shares):10.3f} ± {np.std(shares):.3f}")
    print(f"  race and confirmation, of the sweep's epochs  {seen.cost[1]:10.1%}")


if __name__ == "__main__":
    main()
