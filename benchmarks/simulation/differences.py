"""autokd minus each other contestant, seed by seed: what is left once both had the same pairs.

    python -m benchmarks.simulation.differences [benchmarks/results/peers.json]

Which pairs a seed has moves all shares alike, so the standard error of the difference is smaller than the
shares' own spread. Mean difference and standard error, for the seeds that both have.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from benchmarks.simulation.measure import COSTS, at

KEPT: Final = Path(__file__).parent.parent / "results" / "peers.json"


class Difference(NamedTuple):
    """By cost, of autokd's share and another's.

    Attributes:
        mean: Above 0 where autokd found more.
        error: Standard error of the mean, over seeds.
        seeds: That both have.
    """

    mean: tuple[float, ...]
    error: tuple[float, ...]
    seeds: int


def difference(ours: Sequence[Any], theirs: Sequence[Any]) -> Difference:
    """From costs and shares by seed, two seeds of both at least."""
    seeds = min(len(ours), len(theirs))
    mine, other = (
        np.array([[at(points, cost) for cost in COSTS] for points in side[:seeds]]) for side in (ours, theirs)
    )
    apart = mine - other
    error = apart.std(axis=0, ddof=1) / np.sqrt(seeds)
    return Difference(tuple(apart.mean(axis=0).tolist()), tuple(error.tolist()), seeds)


def main() -> None:
    """Print a line for each contestant."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", nargs="?", type=Path, default=KEPT)
    kept = json.loads(parser.parse_args().file.read_text())
    for table, scenarios in kept.items():
        for scenario, measured in scenarios.items():
            print(f"\n{table}, {scenario}" + "".join(f"{cost:>18.0%}" for cost in COSTS))
            found = {name: one["cost_and_share_by_seed"] for name, one in measured.items()}
            ours = found.pop("autokd", ())
            for name, theirs in found.items():
                if min(len(ours), len(theirs)) < 2:
                    continue
                one = difference(ours, theirs)
                cells = (f"{m:>+9.3f} ± {e:.3f} " for m, e in zip(one.mean, one.error, strict=True))
                print(f"  {name:<28}{''.join(cells)}  {one.seeds} seeds")


if __name__ == "__main__":
    main()
