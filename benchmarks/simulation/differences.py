"""autokd minus each other contestant, seed by seed: what is left once both had the same pairs.

    python -m benchmarks.simulation.differences [benchmarks/results/peers.json]

By table, and of the mean over those that nothing was designed on. Which pairs a seed has moves all shares
alike, so the standard error of the difference is smaller than the shares' own spread. Mean difference and
standard error, for the seeds that both have.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.simulation.compare import SCENARIOS
from benchmarks.simulation.measure import COSTS, at

KEPT: Final = Path(__file__).parent.parent / "results" / "peers.json"
JUDGED: Final = ("digits_plain", "digits_classes")
"""The surrogate's constants were found on the third."""


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
    return _summed(_apart(ours, theirs))


def judged(ours: Sequence[Sequence[Any]], theirs: Sequence[Sequence[Any]]) -> Difference:
    """Return the difference of the means over tables for the seeds that all have; by table and seed."""
    seeds = min(len(points) for side in (ours, theirs) for points in side)
    apart = [_apart(our[:seeds], other[:seeds]) for our, other in zip(ours, theirs, strict=True)]
    return _summed(np.mean(apart, axis=0))


def _apart(ours: Sequence[Any], theirs: Sequence[Any]) -> NDArray[np.float64]:
    """Shape (seeds, costs)."""
    seeds = min(len(ours), len(theirs))
    mine, other = (
        np.array([[at(points, cost) for cost in COSTS] for points in side[:seeds]]) for side in (ours, theirs)
    )
    apart: NDArray[np.float64] = mine - other
    return apart


def _summed(apart: NDArray[np.float64]) -> Difference:
    seeds = len(apart)
    error = apart.std(axis=0, ddof=1) / np.sqrt(seeds)
    return Difference(tuple(apart.mean(axis=0).tolist()), tuple(error.tolist()), seeds)


def main() -> None:
    """Print a line for each contestant."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", nargs="?", type=Path, default=KEPT)
    kept = json.loads(parser.parse_args().file.read_text())
    by_table = {
        table: {scenario: _shares(measured) for scenario, measured in scenarios.items()}
        for table, scenarios in kept.items()
    }
    for table, scenarios in by_table.items():
        for scenario, shares in scenarios.items():
            ours = shares.get("autokd", ())
            enough = {name: theirs for name, theirs in shares.items() if min(len(ours), len(theirs)) > 1}
            _print(
                f"{table}, {scenario}", {name: difference(ours, theirs) for name, theirs in enough.items()}
            )
    for scenario in SCENARIOS:
        tables = [by_table.get(table, {}).get(scenario, {}) for table in JUDGED]
        names = [name for name in tables[0] if all(len(shares.get(name, ())) > 1 for shares in tables)]
        if "autokd" in names:
            ours = [shares["autokd"] for shares in tables]
            differences = {name: judged(ours, [shares[name] for shares in tables]) for name in names}
            _print(f"mean of {' and '.join(JUDGED)}, {scenario}", differences)


def _shares(measured: Mapping[str, Any]) -> dict[str, Sequence[Any]]:
    return {name: contestant["cost_and_share_by_seed"] for name, contestant in measured.items()}


def _print(title: str, differences: Mapping[str, Difference]) -> None:
    print(f"\n{title}\n{'':30}" + "".join(f"{cost:<18.0%}" for cost in COSTS))
    for name, difference in differences.items():
        if name != "autokd":
            cells = (
                f"{m:>+7.3f} ± {e:.3f}   " for m, e in zip(difference.mean, difference.error, strict=True)
            )
            print(f"  {name:<28}{''.join(cells)}{difference.seeds:3} seeds")


if __name__ == "__main__":
    main()
