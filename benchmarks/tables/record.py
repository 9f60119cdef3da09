"""Sweep whole federations and record the tables beside this file.

    python benchmarks/tables/record.py [digits digits_plain digits_classes] [--home DIRECTORY]

Each table is all 90 pairs × the 76 settings of `poster_sweep` × 8 rungs × 2 seeds: what searches are
simulated on. The built-in `digits` is one regime; the other two differ from it in partition, recipe, networks
and seed, so that nothing need be tuned to the first. Half an hour each on 2 cores; with `--home` an
interrupted recording goes on where it was.
"""

from __future__ import annotations

import argparse
import tempfile
from itertools import permutations
from pathlib import Path
from typing import Final

from rich.console import Console

from autokd.cli.progress import watching
from autokd.compute.device import Compute
from autokd.core.setting import Pair
from autokd.workflows.export import export
from autokd.workflows.sweep import sweep
from autokd.workspace import Workspace

FOLDER: Final = Path(__file__).parent
REGIMES: Final = ("digits", "digits_plain", "digits_classes")
SEEDS: Final = 2


def record(regime: str, home: Path) -> None:
    """Sweep a federation, and write its table."""
    own = FOLDER / f"{regime}.yaml"
    workspace = Workspace.open(str(own) if own.exists() else regime, home=home, space="poster_sweep")
    everybody = range(workspace.config.federation.size)
    pairs = [Pair(*two) for two in permutations(everybody, 2)]
    with watching() as callbacks:
        # The layout of the time when the tables were recorded first, so that recording again gives the same.
        compute = Compute(memory_format="contiguous")
        swept = sweep(workspace, pairs, seeds=SEEDS, compute=compute, callbacks=callbacks)
    if swept.interrupted:
        raise SystemExit(130)
    rows = export(workspace, FOLDER / f"{regime}.parquet")
    Console().print(f"{regime}: federation {swept.federation}, {rows} rows, {swept.progress.failed} failed")


def main() -> None:
    """Record what was asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("regimes", nargs="*", default=REGIMES, metavar="REGIME", help="by default all three")
    parser.add_argument("--home", type=Path, help="keep what was run in this folder")
    options = parser.parse_args()
    for regime in options.regimes:
        with tempfile.TemporaryDirectory() as scratch:
            record(regime, options.home or Path(scratch))


if __name__ == "__main__":
    main()
