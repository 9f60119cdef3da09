"""How much there is to find at all: what those who know more than any search would answer.

    python -m benchmarks.simulation.ceiling [--tables digits ...]

As shares of the sweep, all pairs of a table, mean and range over its two seeds. The sweep itself, which is 1,
is chosen on one noisy run of every setting, so one can do better: by knowing what settings are worth on
average, or which one is lucky on test. No search can count on more than the second.
"""

from __future__ import annotations

import argparse
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.simulation.measure import yardstick
from benchmarks.simulation.table import SPLITS, TABLES, Table, load

_VALIDATION, _CONFIRMATION, _TEST = range(len(SPLITS))
KNOWING: Final = (
    "the sweep with the other seed",
    "both seeds on validation and confirmation",
    "the run's own test figure",
)


def ceilings(table: Table, seed: int) -> dict[str, float]:
    """Share by what is known of every setting of every pair, for runs with one of the table's seeds."""
    known = (
        table.gain[:, :, 1 - seed, _VALIDATION],
        table.gain[:, :, :, [_VALIDATION, _CONFIRMATION]].mean(axis=(2, 3)),
        table.gain[:, :, seed, _TEST],
    )
    ends = yardstick(table, seed)
    return {
        name: ends.share(dict(zip(table.pairs, _chosen(table, seed, worth), strict=True)))
        for name, worth in zip(KNOWING, known, strict=True)
    }


def _chosen(table: Table, seed: int, worth: NDArray[np.float64]) -> list[float]:
    """Gain on test of the setting that seems worth the most, or 0 where none seems worth anything."""
    best = worth.argmax(axis=1)
    gains = table.gain[np.arange(len(best)), best, seed, _TEST]
    chosen_gains: list[float] = np.where(worth.max(axis=1) > 0, gains, 0.0).tolist()
    return chosen_gains


def main() -> None:
    """Print a line for each table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tables", nargs="+", default=TABLES)
    for name in parser.parse_args().tables:
        table = load(name)
        print(f"\n{name}")
        for knowing in KNOWING:
            shares = [ceilings(table, seed)[knowing] for seed in range(table.seeds)]
            print(f"  {knowing:<44}{np.mean(shares):.3f} ({min(shares):.3f} to {max(shares):.3f})")


if __name__ == "__main__":
    main()
