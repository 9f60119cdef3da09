"""The compose file's services, started in its order with its commands, tune a pair and show it."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.request import Request, urlopen

import psutil
import pytest
import yaml

from tests.docker.machine import PASSWORD, TOKEN, Machine, machine
from tests.federation.conftest import SMALL
from tests.samples import verdict_by_rule

pytestmark = [pytest.mark.ray, pytest.mark.slow]

PROGRAMS = Path(os.environ.get("AUTOKD_TEST_PROGRAMS", Path(sys.executable).parent))
"""Those of this environment, or of one that `tests.docker.image` has made."""
STUDY = {
    "name": "rehearsal",
    "federation": SMALL | {"pretraining": {"learning_rate": 0.01, "epochs": 1}},
    "distillation": {"learning_rate": 0.01, "epochs": 2},
    "search": {"trials": 2, "startup_trials": 2, "stopping": {"rungs": [1], "grace": 0}},
    "confirmation": {"candidates": 1, "race_seeds": 1, "seeds": 2},
}


@dataclass(frozen=True)
class Rehearsal:
    """A machine on which all services have been started, and the driver has ended."""

    machine: Machine
    code: int
    environments: dict[str, str]
    commands: tuple[str, ...]


@pytest.fixture(scope="module")
def rehearsal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    folder = tmp_path_factory.mktemp("machine")
    tune = "--pair 0,1 --position student --study /recipes/small.yaml"
    with machine(PROGRAMS, folder, TUNE=tune, WORKER_CPUS="1") as made:
        (folder / "recipes" / "small.yaml").write_text(yaml.safe_dump(STUDY))
        assert made.healthy("postgres")
        made.start("ray-head")
        made.await_health("ray-head")
        made.start("worker")
        # Two nodes that start at once on one machine, not in containers, get into each other's way.
        made.await_log("worker", "Ray runtime started")
        driver = made.start("driver")
        environments: dict[str, str] = {}
        commands: set[str] = set()
        while driver.poll() is None:
            for process in made.processes():
                try:
                    commands.add(" ".join(process.cmdline()))
                    if process.pid != driver.pid:
                        environments[process.name()] = repr(process.environ())
                except psutil.Error:
                    continue
            time.sleep(1)
        yield Rehearsal(made, driver.returncode, environments, tuple(commands))


def test_the_driver_tunes_the_pair(rehearsal: Rehearsal) -> None:
    assert rehearsal.code == 0, rehearsal.machine.log("driver")
    file = rehearsal.machine.folder / "recipes" / "small.yaml"
    status = rehearsal.machine.run("driver", "status", "--study", str(file), "--json")
    assert status.returncode == 0, status.stderr
    (pair,) = json.loads(status.stdout)["pairs"]
    assert pair["pair"] == {"teacher": 0, "student": 1}
    status = rehearsal.machine.run("driver", "recommend", "--study", str(file), "--pair", "0,1", "--json")
    assert status.returncode == 0, status.stderr
    assert pair["verdict"] == verdict_by_rule(json.loads(status.stdout))
    assert pair["runs"] > 0


def test_the_dashboard_shows_the_study(rehearsal: Rehearsal) -> None:
    rehearsal.machine.start("dashboard")
    rehearsal.machine.await_health("dashboard")
    with urlopen(f"http://127.0.0.1:{rehearsal.machine.ports['8080']}/api/studies") as answer:
        assert "0->1" in answer.read().decode()
    log = rehearsal.machine.log("dashboard")
    assert "warning: " in log
    assert "can read the studies" in log


def test_the_service_has_the_store_of_the_driver(rehearsal: Rehearsal) -> None:
    made = rehearsal.machine
    token = made.run("serve", "token", "create", "--name", "me", "--scope", "read")
    assert token.returncode == 0, token.stderr
    (made.folder / "home" / "recipes").mkdir()
    shutil.copy(made.folder / "recipes" / "small.yaml", made.folder / "home" / "recipes")
    made.start("serve")
    made.await_health("serve")
    asked = Request(
        f"http://127.0.0.1:{made.ports['8321']}/v1/studies/small/pairs/0-1",
        headers={"Authorization": f"Bearer {token.stdout.strip()}"},
    )
    with urlopen(asked) as answer:
        assert json.load(answer)["trials"]
    assert TOKEN not in made.log("serve")
    assert PASSWORD not in made.log("serve")


def test_nobody_but_the_driver_gets_to_know_the_password(rehearsal: Rehearsal) -> None:
    assert any("raylet" in name for name in rehearsal.environments)
    assert any("Trainable" in name or "ray::" in name for name in rehearsal.environments)
    assert not [name for name, text in rehearsal.environments.items() if PASSWORD in text]
    assert not [line for line in rehearsal.commands if PASSWORD in line or TOKEN in line]


def test_a_node_without_the_token_is_turned_away(rehearsal: Rehearsal) -> None:
    service = rehearsal.machine.services["worker"]
    service["environment"] = {**service["environment"], "RAY_AUTH_TOKEN": "another" * 6}
    assert not rehearsal.machine.healthy("worker")
