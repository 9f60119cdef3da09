"""The long form: many pairs, many deaths, on three nodes.

    python -m tests.torture [--seed 0] [--sqlite]

The driver is killed at 25 random moments and 10 workers are; a node is removed; and PostgreSQL (a server of
its own, unless it is to be SQLite) is stopped twice for 20 s. It ends with code 0 if nothing was lost and
nothing was done twice.
"""

from __future__ import annotations

import argparse
import tempfile
from contextlib import ExitStack
from pathlib import Path

from autokd.core.setting import Pair
from autokd.store import sqlite_url
from tests.postgres import private_postgres
from tests.torture.batch import workspace
from tests.torture.cluster import cluster
from tests.torture.torment import Misfortune, Ordeal, torment
from tests.torture.verdict import check

PAIRS = [Pair(teacher, student) for teacher in range(4) for student in range(4) if teacher != student]
TRIALS = 24


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=0, help="decides on what happens when")
    parser.add_argument("--sqlite", action="store_true", help="in place of PostgreSQL; it cannot be stopped")
    options = parser.parse_args()
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="autokd-torture-")))
        server = None if options.sqlite else stack.enter_context(private_postgres())
        nodes = stack.enter_context(cluster(2, 1, 1))
        place = workspace(home, server.url if server else sqlite_url(home / "autokd.db"), TRIALS)
        misfortunes = {
            Misfortune.DRIVER_KILLED: 25,
            Misfortune.WORKER_KILLED: 10,
            Misfortune.NODE_REMOVED: 1,
            Misfortune.DATABASE_STOPPED: 2 if server else 0,
        }
        ordeal = Ordeal(misfortunes, away=20.0, seed=options.seed)
        torment(place, PAIRS, ordeal, cluster=nodes, database=server, say=print)
        check(place, PAIRS)
    print("nothing was lost, and nothing was done twice")


if __name__ == "__main__":
    main()
