"""A small batch, or a preparation, during which one of Ray's own processes is killed; run by its test.

    python -m tests.execution.ray_death HOME gcs_server|raylet|none [preparation]

Prints the error, if there was one, and what is left in the home.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from unittest.mock import patch

import psutil
import ray

from autokd.cli.console import show_notices
from autokd.compute.device import Compute
from autokd.compute.ray_health import leave
from autokd.config.federation import FederationConfig
from autokd.core.setting import Pair
from autokd.errors import WorkersLost
from autokd.execution import driver
from autokd.federation.preparation import prepare
from autokd.store import sqlite_url
from autokd.workflows.tune import tune_all
from tests.execution.formula import formula
from tests.search.worlds import facts, instead_of_a_federation, tiny_plan
from tests.torture.batch import workspace


def kill_when_at_work(kind: str, at_work: Callable[[], bool]) -> None:
    """Kill this process's own gcs_server or raylet once its workers are at work."""
    while not (ray.is_initialized() and at_work()):
        time.sleep(0.1)
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            if process.name() == kind:
                process.kill()


def pretrains() -> bool:
    """Whether a participant is being pre-trained."""
    titles = []
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            titles += process.cmdline()
    return any("_pretrain_one" in title for title in titles)


def batch(home: Path) -> None:
    """Tune a pair whose runs are formulas."""
    place = workspace(home, sqlite_url(home / "autokd.db"), 4)
    with (
        instead_of_a_federation(facts()),
        patch.object(
            driver, "distilling", lambda config, *rest: formula(config, seconds=0.3, journal=home / "journal")
        ),
    ):
        tune_all(place, [Pair(0, 1)])


def preparation(home: Path) -> None:
    """Pre-train participants, which would take minutes."""
    recipe = tiny_plan().federation.model_dump(mode="json")
    recipe["pretraining"]["epochs"] = 1000
    prepare(FederationConfig.model_validate(recipe), home=home, compute=Compute())


def main(home: Path, kind: str, phase: str = "batch") -> None:
    prepares = phase == "preparation"
    at_work = pretrains if prepares else (home / "journal").exists
    if kind != "none":
        threading.Thread(target=kill_when_at_work, args=(kind, at_work), daemon=True).start()
    with show_notices():  # As the command line has it: what is stuck inside of Ray logs its error.
        try:
            (preparation if prepares else batch)(home)
        except WorkersLost as error:
            print(f"error: {error}")
    print(sorted(path.name for path in home.iterdir()), flush=True)
    leave(1)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
