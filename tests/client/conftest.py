"""A service on a port of this machine, on the real store of an earlier version with four participants."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from time import sleep
from typing import NamedTuple

import pytest
import uvicorn

from autokd.client import Client
from autokd.core.access_token import Scope
from autokd.service.app import Service
from autokd.workflows.tokens import create
from tests.service.conftest import settings, unpacked


class Served(NamedTuple):
    """Where a service answers, with a token that may tune, and the home that it has."""

    url: str
    token: str
    home: Path


@pytest.fixture(scope="package")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    home = unpacked(tmp_path_factory.mktemp("served"))
    # Its log is another process's in truth, and no notice of the commands that run beside it here.
    logger = logging.getLogger("autokd.service")
    logger.propagate = False
    service = Service(settings(home))
    server = uvicorn.Server(uvicorn.Config(service, port=0, log_config=None, timeout_graceful_shutdown=1))
    thread = Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    token = create(service.context.settings.address, name="laptop", scope=Scope.TUNE).text
    yield Served(f"http://127.0.0.1:{port}", token, home)
    server.should_exit = True
    thread.join(20)
    service.close()
    logger.propagate = True


@pytest.fixture(scope="package")
def client(served: Served) -> Iterator[Client]:
    with Client(served.url, served.token) as client:
        yield client
