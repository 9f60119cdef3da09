"""A batch on a Ray cluster of three nodes, of which one is killed in the middle while another joins.

    python -m tests.execution.on_a_cluster FOLDER

In a process of its own, since a process knows but one Ray. Runs are formulas. The first run of each node is
held until the other nodes have one, too, then a node is killed, and all wait for the one that joins: so what
is tested does not depend on how fast the machine is. FOLDER/home is what drivers call home; what the nodes'
processes touch of it is noted. Prints what happened, as JSON.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import ray
from ray import tune
from ray.cluster_utils import Cluster

from autokd.compute.device import Compute
from autokd.compute.ray_cluster import session
from autokd.compute.resources import Resources
from autokd.core.setting import Pair
from autokd.execution.driver import drive
from autokd.federation.preparation import prepare
from tests.execution.formula import FormulaTrainable
from tests.federation.conftest import make_recipe
from tests.search.worlds import BACKWARD, FORWARD, World, tiny_plan

ALONE: Final = Pair(2, 3)
"""Tuned afterwards, one run at a time."""
MEETING: Final = (FORWARD, BACKWARD)
_NODES: Final = 3
_PATIENCE: Final = 120.0
_SECONDS: Final = 0.05


class LocatedTrainable(FormulaTrainable):
    """Notes where and when it works, and is held as long as a certain file is there."""

    def setup(
        self,
        config: dict[str, Any],
        rungs: tuple[int, ...] = (),
        seconds: float = 0.0,
        journal: Path | None = None,
        notes: Path | None = None,
    ) -> None:
        assert notes is not None
        self._notes = notes
        self._node = ray.get_runtime_context().get_node_id()
        super().setup(config, rungs, seconds, journal)

    def step(self) -> dict[str, Any]:
        began = time.time()
        _append(self._notes / "begun", self._node)
        while (self._notes / "held").exists():
            time.sleep(_SECONDS)
        answer = super().step()
        _append(self._notes / "worked", json.dumps([self._node, os.getpid(), began, time.time()]))
        return answer


def _append(file: Path, line: str) -> None:
    with file.open("a") as opened:
        opened.write(line + "\n")


def _lines(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []


def _accident(cluster: Cluster, notes: Path) -> tuple[str, str]:
    """Kill a node once all of them are at work, and let another one join.

    Returns:
        The node that was killed, and the one that joined.
    """
    try:
        _await(notes, lambda at_work: len(at_work) == _NODES)
        removed = next(iter(cluster.worker_nodes))
        cluster.remove_node(removed, allow_graceful=False)
        added = cluster.add_node(num_cpus=1)
        _await(notes, lambda at_work: added.node_id in at_work)
        return removed.node_id, added.node_id
    finally:
        (notes / "held").unlink()


def _await(notes: Path, enough: Callable[[set[str]], bool]) -> None:
    until = time.monotonic() + _PATIENCE
    while not enough(at_work := set(_lines(notes / "begun"))):
        if time.monotonic() > until:
            raise TimeoutError(f"only {at_work} are at work")
        time.sleep(_SECONDS)


@contextmanager
def _cluster(home: Path, notes: Path) -> Iterator[Cluster]:
    """Nodes of one CPU each, whose processes are watched."""
    os.environ |= {
        "PYTHONPATH": str(Path(__file__).parent / "watch"),
        "WATCHED": str(home),
        "NOTED": str(notes / "touched"),
    }
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        for _ in range(_NODES - 1):
            cluster.add_node(num_cpus=1)
        yield cluster
    finally:
        cluster.shutdown()


def _tune(meeting: Sequence[Pair], workers: Resources, home: Path, notes: Path) -> None:
    world = World(home, tiny_plan(), meetings=[meeting])
    with session(address=workers.address):
        trainable = tune.with_parameters(
            LocatedTrainable, rungs=world.config.rungs, seconds=_SECONDS, notes=notes
        )
        assert drive(world.queue, trainable, home=home, workers=workers)
    world.close()


def _touch(file: Path) -> None:
    file.touch()


def main(folder: Path) -> None:
    home, notes = folder / "home", folder / "notes"
    home.mkdir()
    notes.mkdir()
    (notes / "held").touch()
    # NOTE: nodes are added in the main thread only, since Ray sets handlers of signals for each.
    with _cluster(home, notes) as cluster, ThreadPoolExecutor(1) as thread:
        address = cluster.address
        batch = thread.submit(_tune, MEETING, Resources(address=address), home, notes)
        removed, added = _accident(cluster, notes)
        batch.result()
        (notes / "worked").rename(notes / "worked-together")
        _tune([ALONE], Resources(concurrency=1, address=address), home, notes)
        prepared = prepare(make_recipe(), home=home, compute=Compute(), address=address)
        touched = _lines(notes / "touched")
        with session(address=address):
            alive = sum(node["Alive"] for node in ray.nodes())
            ray.get(ray.remote(_touch).remote(home / "touched"))
    facts = {
        "removed": removed,
        "added": added,
        "alive": alive,
        "together": [json.loads(line) for line in _lines(notes / "worked-together")],
        "alone": [json.loads(line) for line in _lines(notes / "worked")],
        "prepared": prepared.name,
        "touched": touched,
        "touched on purpose": _lines(notes / "touched"),
    }
    print(json.dumps(facts))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
