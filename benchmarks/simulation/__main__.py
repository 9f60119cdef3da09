"""How much of a sweep's gain a search finds at which cost, on recorded tables.

    python -m benchmarks.simulation [--tables digits ...] [--policies autokd ...] [--seeds 20] [--out FILE]

Everything is chosen on validation and told on test. *Share* is (policy − B) ÷ (sweep − B), summed over pairs,
where B is the better of the default and doing nothing, and every policy may answer "nothing"; with free
position B also counts the default the other way round and both models as they are. Cost is epochs of the
search, the default's run included, as a share of the sweep's on the same pairs.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Final

import numpy as np

from benchmarks.simulation.measure import (
    COSTS,
    Points,
    cells,
    half,
    meeting_answer,
    meeting_yardstick,
    single,
    yardstick,
)
from benchmarks.simulation.policies import POLICIES
from benchmarks.simulation.processes import pool
from benchmarks.simulation.scenarios import POINTS, cold, cold_meetings, newcomer, unseen
from benchmarks.simulation.table import TABLES, Table, load


def _cold(name: str, policy: str, seed: int) -> Points:
    return [cold(load(name), POLICIES[policy], seed, trials) for trials in _points(policy)]


def _meetings(name: str, policy: str, seed: int) -> Points:
    return [cold_meetings(load(name), POLICIES[policy], seed, trials) for trials in _points(policy)]


def _points(policy: str) -> list[int]:
    """What is never stopped has spent a fifth of the sweep after 16 trials."""
    return [trials for trials in POINTS if trials <= 16 or POLICIES[policy].stopping.rungs]


def _unseen(name: str, seed: int) -> tuple[float, float]:
    return unseen(load(name), seed)


def _newcomer(name: str, policy: str, seed: int) -> Points:
    return newcomer(load(name), POLICIES[policy], seed, range(1, max(POINTS) + 1))


SCENARIOS: Final[dict[str, Callable[[str, str, int], Points]]] = {
    "newcomer": _newcomer,
    "batch": _cold,
    "meetings": _meetings,
}


def main() -> None:
    """Simulate, print, and keep the numbers."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tables", nargs="+", default=TABLES)
    parser.add_argument("--policies", nargs="+", default=list(POLICIES), choices=list(POLICIES))
    parser.add_argument("--scenarios", nargs="+", default=list(SCENARIOS), choices=list(SCENARIOS))
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--processes", type=int, help="by default one a core")
    parser.add_argument("--out", type=Path, help="keep every number in this file")
    options = parser.parse_args()
    kept: dict[str, dict[str, dict[str, list[Points]]]] = {}
    with pool(options.processes) as workers:
        for table in options.tables:
            ends = [yardstick(load(table), seed) for seed in range(load(table).seeds)]
            anyway, swept = (
                np.mean([[*values.values()] for end in ends for values in [getattr(end, side)]])
                for side in ("anyway", "swept")
            )
            print(f"\n{table}: the better of default and nothing {anyway:+.2f} pp, the sweep {swept:+.2f} pp")
            alone = np.mean([single(load(table), seed) for seed in range(load(table).seeds)])
            print(f"  best single setting of other pairs, no search: share {alone:.3f}")
            if "newcomer" in options.scenarios:
                predictions = list(workers.map(_unseen, [table] * options.seeds, range(options.seeds)))
                shares, coverage = zip(*predictions, strict=True)
                print(
                    f"  predicted, no run of the pair: share {np.mean(shares):.3f} ± {np.std(shares):.3f}, "
                    f"95% intervals hold {np.mean(coverage):.1%} of the gains"
                )
            if "meetings" in options.scenarios:
                as_it_is, without, everything = free_position(load(table))
                print(
                    f"  with free position, accuracy on test: the better model as it is {as_it_is:.2f}%, "
                    f"or the default either way {without:.2f}%, the sweep {everything:.2f}%"
                )
            for scenario in options.scenarios:
                print(f"  {scenario:<24}" + "".join(f"{cost:>16.0%}" for cost in COSTS))
                for policy in options.policies:
                    began = perf_counter()
                    run = SCENARIOS[scenario]
                    seeds = range(options.seeds)
                    points = list(workers.map(run, [table] * len(seeds), [policy] * len(seeds), seeds))
                    kept.setdefault(table, {}).setdefault(scenario, {})[policy] = points
                    print(f"    {policy:<22}{cells(points)}   {perf_counter() - began:6.1f} s", flush=True)
    if options.out:
        options.out.write_text(json.dumps(kept) + "\n")


def free_position(table: Table) -> tuple[float, float, float]:
    """Mean accuracy, in %, of what a meeting ends with: a model as it is, that or the default, the sweep."""
    seeds, pairs = range(table.seeds), half(table)
    ends = [meeting_yardstick(table, seed) for seed in seeds]
    as_it_is = [meeting_answer(table, seed, pair, (), ()) for seed in seeds for pair in pairs]
    without = [end.anyway[pair] for end in ends for pair in pairs]
    everything = [end.swept[pair] for end in ends for pair in pairs]
    return float(np.mean(as_it_is)), float(np.mean(without)), float(np.mean(everything))


if __name__ == "__main__":
    main()
