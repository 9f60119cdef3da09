"""A small batch during which one of Ray's own processes is killed; run by its test.

    python -m tests.execution.ray_death HOME gcs_server|raylet|none

Prints the error, if there was one, and what is left in the home.
"""

from __future__ import annotations

import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from unittest.mock import patch

import psutil
import ray

from autokd.cli.console import show_notices
from autokd.compute.ray_health import leave
from autokd.core.setting import Pair
from autokd.errors import WorkersLost
from autokd.execution import driver
from autokd.store import sqlite_url
from autokd.workflows.tune import tune_all
from tests.execution.formula import formula
from tests.search.worlds import facts, instead_of_a_federation
from tests.torture.batch import workspace


def kill_when_at_work(kind: str, journal: Path) -> None:
    """Kill this process's own gcs_server or raylet once a run has begun."""
    while not (ray.is_initialized() and journal.exists()):
        time.sleep(0.1)
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            if process.name() == kind:
                process.kill()


def main(home: Path, kind: str) -> None:
    journal = home / "journal"
    if kind != "none":
        threading.Thread(target=kill_when_at_work, args=(kind, journal), daemon=True).start()
    place = workspace(home, sqlite_url(home / "autokd.db"), 4)
    with (
        show_notices(),  # As the command line has it: a driver that is stuck inside of Ray logs its error.
        instead_of_a_federation(facts()),
        patch.object(
            driver, "distilling", lambda config, *rest: formula(config, seconds=0.3, journal=journal)
        ),
    ):
        try:
            tune_all(place, [Pair(0, 1)])
        except WorkersLost as error:
            print(f"error: {error}")
    print(sorted(path.name for path in home.iterdir()), flush=True)
    leave(1)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
