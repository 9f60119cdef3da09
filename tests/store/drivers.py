"""Drivers: how to make one silent, and one in a process of its own, which writes whenever it is told to.

    python -m tests.store.drivers URL STUDY

Prints `holds`, and for each line that it reads what came of beginning a trial: its number or an error's name.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, cast, final

from sqlalchemy import create_engine, update

from autokd.core.records import TrialOrigin
from autokd.core.setting import DEFAULT
from autokd.errors import StoreError
from autokd.store import Store, normalise
from autokd.store.leases import Now
from autokd.store.tables import DriverRow
from tests.store.samples import DISTRIBUTIONS


def expire(address: str) -> None:
    """As if no driver of that database had said anything for two days."""
    change(address, expires=Now() - 2 * 86_400)


def change(address: str, **values: object) -> None:
    """Set columns of all drivers."""
    engine = create_engine(normalise(address))
    with engine.begin() as connection:
        connection.execute(update(DriverRow).values(**values))
    engine.dispose()


@final
class Driver:
    """The other end of it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def hear(self) -> str:
        """The next thing that it says."""
        return cast(IO[str], self.process.stdout).readline().strip()

    def tell(self) -> None:
        """To write."""
        stdin = cast(IO[str], self.process.stdin)
        stdin.write("write\n")
        stdin.flush()


@contextmanager
def driver(address: str, study: str, *, seconds: float) -> Iterator[Driver]:
    """One that holds the study, killed at the end."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.store.drivers", address, study],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "AUTOKD_LEASE_SECONDS": str(seconds)},
    ) as process:
        try:
            started = Driver(process)
            assert started.hear() == "holds"
            yield started
        finally:
            process.kill()


def main(address: str, study: str) -> None:
    with Store.open(address) as store, store.leases.acquire([study]):
        print("holds", flush=True)
        for _ in sys.stdin:
            try:
                begun = store.begin_trial(
                    study, DEFAULT, seed=0, role=TrialOrigin.BASELINE, distributions=DISTRIBUTIONS
                )
            except StoreError as error:
                print(type(error).__name__, flush=True)
            else:
                print(begun.number, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
