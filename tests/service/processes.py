"""`autokd serve` as a process at a port of its own, which can be killed and started again there."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import final

import httpx2 as httpx
import psutil

from autokd.service.job_order import VARIABLE

_START_SECONDS = 900.0


@final
class ServerProcess:
    """A server of a home, and the drivers that it and those before it have started.

    Attributes:
        address: What it answers at, once it has started.
    """

    def __init__(
        self,
        home: Path,
        log: Path,
        *options: str,
        port: int | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.home, self.log = home, log
        self.port = port or _free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self._options, self._environment = options, environment or {}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = ["--port", str(self.port), "--home", str(self.home), *self._options]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "autokd", "serve", *options],
                stderr=log,
                cwd=self.log.parent,
                env={**os.environ, **self._environment},
            )
        end = time.monotonic() + _START_SECONDS
        while time.monotonic() < end and self._process.poll() is None:
            try:
                httpx.get(f"{self.address}/healthz", trust_env=False)
            except httpx.TransportError:
                time.sleep(0.1)
            else:
                return
        raise AssertionError(self.log.read_text())

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """End it by a signal, unless it has ended."""
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(60)
            self._process = None

    def drivers(self) -> list[psutil.Process]:
        """The drivers of jobs of its home that are alive."""
        return [process for process in self.family() if "autokd.service.job_driver" in process.cmdline()]

    def family(self) -> list[psutil.Process]:
        """All processes that a driver of a job of its home has started, and the drivers themselves."""
        return [process for process in psutil.process_iter() if _is_for(process, self.home)]


def _is_for(process: psutil.Process, home: Path) -> bool:
    try:
        order = process.environ().get(VARIABLE)
        return order is not None and json.loads(order)["home"] == str(home) and process.is_running()
    except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess, ValueError):
        return False


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        number: int = free.getsockname()[1]
        return number
