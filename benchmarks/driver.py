"""What the driver costs as a batch grows: CPU time a run, and memory, on workers that take no time.

    python -m benchmarks.driver [--long] [--storage URL]

Driver, Searcher, scheduler, store, judgement and Ray's workers are the real ones; only training is a formula,
which answers at once, and the federation another. So the driver is always the slowest part, and what it
computes for a run, which reports up to three times, is what it costs at its worst.

Each batch runs in a process of its own, from an empty store. With `--storage` it is written to a database
that may be thrown away afterwards; by default SQLite. `--long` adds batches of 30,000 runs (about an hour).
"""

from __future__ import annotations

import argparse
import os
import resource
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import permutations
from pathlib import Path
from time import perf_counter, process_time
from typing import Final
from unittest.mock import patch

from autokd.compute.ray_cluster import session
from autokd.core.setting import Pair
from autokd.execution import driver
from autokd.search.progress import Progress
from autokd.workflows.callbacks import Callbacks
from autokd.workflows.tune import tune_all
from autokd.workspace import Workspace, storage_url
from tests.execution.formula import formula
from tests.search.worlds import facts, instead_of_a_federation, open_space, tiny_plan

BATCHES: Final = ((10, 1_000), (10, 3_000), (10, 10_000), (30, 10_000))
"""Participants (of whom 10 make 90 studies, and 30 make 870), and runs."""
LONG: Final = ((10, 30_000), (30, 30_000))
_AFTER_THE_SEARCH: Final = 6
"""Race and confirmation runs of a study."""


@dataclass(slots=True)
class Watch(Callbacks):
    """From the first report on, so that imports and the start of the workers are left out.

    Attributes:
        cpu: Of this process, all of its threads, in seconds.
        wall: Seconds.
        runs: That ended meanwhile.
    """

    _first: tuple[float, float, int] | None = None
    cpu: float = 0.0
    wall: float = 0.0
    runs: int = 0

    def on_search(self, progress: Progress) -> None:
        if progress.ended:
            now = process_time(), perf_counter(), progress.ended
            self._first = self._first or now
            self.cpu, self.wall = now[0] - self._first[0], now[1] - self._first[1]
            self.runs = now[2] - self._first[2]


def batch(participants: int, runs: int, storage: str | None) -> str:
    """Tune all pairs of so many participants, with about so many runs; a row of the table."""
    pairs = [Pair(teacher, student) for teacher, student in permutations(range(participants), 2)]
    config = tiny_plan(trials=round(runs / len(pairs)) - _AFTER_THE_SEARCH)
    federation = replace(facts(participants), name=f"formula-{secrets.token_hex(4)}")
    watch = Watch()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        workspace = Workspace(
            config=config, space=open_space(), home=home, storage=storage_url(storage, home)
        )
        with (
            session(),
            instead_of_a_federation(federation),
            patch.object(driver, "distilling", return_value=formula(config)),
        ):
            done = tune_all(workspace, pairs, callbacks=watch)
    assert len(done.answers) == len(pairs)
    # In KiB on Linux: the most that it ever had.
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return (
        f"{len(pairs):>8} {done.ran:>8} {1e3 * watch.cpu / watch.runs:>14.1f} "
        f"{1e3 * watch.wall / watch.runs:>14.1f} {memory:>12.0f}"
    )


def main(arguments: Sequence[str]) -> None:
    """One row, or the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--storage", help="a database URL in place of SQLite")
    parser.add_argument("--batch", nargs=2, type=int, metavar=("PARTICIPANTS", "RUNS"), help="only this one")
    options = parser.parse_args(arguments)
    if options.batch:
        participants, runs = options.batch
        print(batch(participants, runs, options.storage))
        return
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print(" studies     runs  CPU a run, ms wall a run, ms  memory, MiB", flush=True)
    for participants, runs in (*BATCHES, *(LONG if options.long else ())):
        command = [sys.executable, "-m", "benchmarks.driver", "--batch", str(participants), str(runs)]
        subprocess.run([*command, *(["--storage", options.storage] if options.storage else [])], check=True)


if __name__ == "__main__":
    main(sys.argv[1:])
