"""The driver that is tortured: the whole of `autokd tune --all`, on workers that follow formulas.

    python -m tests.torture.batch HOME STORAGE RAY_ADDRESS TRIALS PAIR...

The batch is what `Workspace.tune_all` makes of it; only the federation and the workers are not real. Its
journal tells what workers began and what this driver had recorded before it died.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from unittest.mock import patch

from ray.tune import Trainable

from autokd.compute.resources import Resources
from autokd.config.study import StudyConfig
from autokd.core.run_spec import RunFailure, RunResult
from autokd.core.setting import Pair
from autokd.execution import driver
from autokd.execution.search_queue import SearchQueue
from autokd.workflows.tune import tune_all
from autokd.workspace import Workspace
from tests.execution.formula import enter, formula
from tests.search.worlds import facts, instead_of_a_federation, open_space, tiny_plan

SECONDS = 0.1
"""From one rung to the next."""
_RETRIES = 50
"""So that no run is given up for what it suffers here."""


def workspace(home: Path, storage: str, trials: int) -> Workspace:
    """Of four participants that are formulas."""
    config = tiny_plan(trials=trials, retries=_RETRIES)
    return Workspace(config=config, space=open_space(), home=home, storage=storage)


def journal(home: Path) -> Path:
    return home / "journal"


def tune(place: Workspace, pairs: Sequence[Pair], address: str) -> bool:
    """On the cluster at that address; False if it was interrupted."""
    end, written = SearchQueue.end, journal(place.home)

    def end_and_log(self: SearchQueue, key: str, result: RunResult) -> None:
        spec = self._live[key].spec
        end(self, key, result)
        if not isinstance(result, RunFailure):
            enter(written, "recorded", spec)

    def workers(config: StudyConfig, *rest: object) -> type[Trainable]:
        return formula(config, seconds=SECONDS, journal=written)

    with (
        patch.object(SearchQueue, "end", end_and_log),
        instead_of_a_federation(facts()),
        patch.object(driver, "distilling", workers),
    ):
        return not tune_all(place, pairs, workers=Resources(address=address)).interrupted


def main(home: str, storage: str, address: str, trials: str, *pairs: str) -> None:
    place = workspace(Path(home), storage, int(trials))
    done = tune(place, [place.pair(pair) for pair in pairs], address)
    sys.exit(0 if done else 130)


if __name__ == "__main__":
    main(*sys.argv[1:])
