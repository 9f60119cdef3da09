"""One machine in place of many containers: each service is a process with its very command.

What differs is where things are: names of containers, ports and folders become what this machine has.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import psutil
from ray.util import get_node_ip_address
from sqlalchemy import create_engine, text

from autokd.store import normalise
from tests.docker.files import FOLDER, command, compose, health_check
from tests.postgres import Postgres, private_postgres

PASSWORD: Final = "thepasswordofthedatabase"
TOKEN: Final = "thetokenofthecluster" * 2
VARIABLES: Final = {"POSTGRES_PASSWORD": PASSWORD, "RAY_AUTH_TOKEN": TOKEN, "OBJECT_STORE": "100000000"}
_MARK: Final = "AUTOKD_TEST_MACHINE"
"""Of every process that belongs to it, those that Ray leaves behind in the background too."""
_PATIENCE: Final = 120.0
_PORTS: Final = ("6379", "8080", "8321")


@dataclass
class Machine:
    """Starts services and looks after them.

    Attributes:
        folder: Stands for `/var/lib/autokd` and `/recipes`, as two folders.
        services: By name, as the compose file has them.
    """

    programs: Path
    folder: Path
    database: Postgres
    services: Mapping[str, Any]
    mark: str = field(default_factory=lambda: secrets.token_hex(8))
    ports: dict[str, int] = field(default_factory=lambda: {port: _free_port() for port in _PORTS})
    _started: list[subprocess.Popen[str]] = field(default_factory=list)

    def start(self, name: str) -> subprocess.Popen[str]:
        """A service in the background."""
        service = self.services[name]
        with (self.folder / f"{name}.log").open("w") as log:
            started = subprocess.Popen(
                self._here(command(service)),
                env=self._environment(service),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                text=True,
            )
        self._started.append(started)
        return started

    def run(self, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """What `docker compose run` does: other arguments for the service's entry point."""
        service = self.services[name]
        return subprocess.run(
            [*self._here(command({"entrypoint": service["entrypoint"]})), *arguments],
            env=self._environment(service),
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )

    def healthy(self, name: str) -> bool:
        service = self.services[name]
        done = subprocess.run(
            self._here(health_check(service)),
            env=self._environment(service),
            capture_output=True,
            timeout=60,
            check=False,
        )
        return done.returncode == 0

    def await_health(self, name: str) -> None:
        until = time.monotonic() + _PATIENCE
        while not self.healthy(name):
            assert time.monotonic() < until, self.log(name)
            time.sleep(0.5)

    def await_log(self, name: str, words: str) -> None:
        until = time.monotonic() + _PATIENCE
        while words not in self.log(name):
            assert time.monotonic() < until, self.log(name)
            time.sleep(0.2)

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text()

    def processes(self) -> list[psutil.Process]:
        """All that any service has started."""
        processes = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.environ().get(_MARK) == self.mark:
                    processes.append(process)
        return processes

    def switch_off(self) -> None:
        while processes := self.processes():
            for process in processes:
                with suppress(psutil.Error):
                    process.kill()
            psutil.wait_procs(processes, timeout=10)
        for started in self._started:
            started.wait()
        shutil.rmtree(self._scratch, ignore_errors=True)

    @property
    def _scratch(self) -> Path:
        """Where Ray keeps its sockets, the paths of which are limited to 107 bytes."""
        return Path("/tmp") / f"ray-{self.mark}"

    def _here(self, words: list[str]) -> list[str]:
        return [self._text(word) for word in words]

    def _text(self, text: str) -> str:
        replaced = {
            "ray-head:": f"{get_node_ip_address()}:",
            "6379": str(self.ports["6379"]),
            "8080": str(self.ports["8080"]),
            "8321": str(self.ports["8321"]),
            "@postgres/": f"@127.0.0.1:{self.database.port}/",
            "/recipes": str(self.folder / "recipes"),
        }
        for there, here in replaced.items():
            text = text.replace(there, here)
        return text

    def _environment(self, service: Mapping[str, Any]) -> dict[str, str]:
        environment = {name: self._text(str(text)) for name, text in service["environment"].items()}
        outer = dict(os.environ)
        if self.programs != Path(sys.executable).parent:
            outer.pop("PYTHONPATH", None)
        path = (self.programs, FOLDER, self.database.programs, os.environ["PATH"])
        return {
            **outer,
            "PATH": os.pathsep.join(map(str, path)),
            "AUTOKD_HOME": str(self.folder / "home"),
            "RAY_TMPDIR": str(self._scratch),
            "RAY_USAGE_STATS_ENABLED": "0",
            "PGHOST": "127.0.0.1",
            "PGPORT": str(self.database.port),
            _MARK: self.mark,
            **environment,
        }


@contextmanager
def machine(programs: Path, folder: Path, **variables: str) -> Iterator[Machine]:
    """With its database running; everything is gone afterwards."""
    with ExitStack() as stack:
        database = stack.enter_context(private_postgres())
        services = compose({**VARIABLES, **variables})["services"]
        _create(database, services["postgres"]["environment"])
        (folder / "recipes").mkdir()
        made = Machine(programs, folder, database, services)
        stack.callback(made.switch_off)
        yield made


def _create(database: Postgres, variables: Mapping[str, str]) -> None:
    """What PostgreSQL's image does at its first start."""
    engine = create_engine(normalise(database.url), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE ROLE {variables['POSTGRES_USER']} LOGIN SUPERUSER"))
        connection.execute(
            text(f"CREATE DATABASE {variables['POSTGRES_DB']} OWNER {variables['POSTGRES_USER']}")
        )
    engine.dispose()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port
