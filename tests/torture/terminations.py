"""A batch of twelve pairs while PostgreSQL ends every connection again and again.

    python -m tests.torture.terminations [--every 0.7] [--seconds 60]

It ends with code 0 if the batch came to its end, and nothing was lost or done twice.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from itertools import permutations
from pathlib import Path
from typing import Final

import psycopg

from autokd.core.setting import Pair
from tests.postgres import private_postgres
from tests.torture.cuts import place, tune
from tests.torture.verdict import check_pair

PAIRS: Final = [Pair(*sides) for sides in permutations(range(4), 2)]
_RUN_SECONDS: Final = 0.5
_ALL: Final = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"


def end_connections(url: str, every: float, seconds: float, over: threading.Event) -> int:
    """End all connections of a server but our own until the time or the batch is over; return how many."""
    ended, until = 0, time.monotonic() + seconds
    with psycopg.connect(url, autocommit=True) as connection:
        while time.monotonic() < until and not over.wait(every):
            ended += len(connection.execute(f"{_ALL} AND backend_type = 'client backend'").fetchall())
    return ended


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--every", type=float, default=0.7, help="seconds between two terminations")
    parser.add_argument("--seconds", type=float, default=60.0, help="for so long")
    options = parser.parse_args()
    over, ended = threading.Event(), list[int]()
    with tempfile.TemporaryDirectory() as home, private_postgres() as server:
        where = place(Path(home), server.url, 0)

        def torment() -> None:
            ended.append(end_connections(server.url, options.every, options.seconds, over))

        thread, began = threading.Thread(target=torment), time.monotonic()
        thread.start()
        try:
            ran = tune(where, PAIRS, seconds=_RUN_SECONDS)
        finally:
            over.set()
            thread.join()
        took = time.monotonic() - began
        with where.open_store(create=False) as store:
            for pair in PAIRS:
                check_pair(where, store, pair)
    assert ended[0] > options.seconds / options.every / 2, f"only {ended[0]} connections were ended"
    print(f"{len(PAIRS)} pairs, {ran} runs in {took:.0f} s, {ended[0]} connections ended; nothing was lost")


if __name__ == "__main__":
    main()
