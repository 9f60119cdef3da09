"""A service on a port of this machine, on the real store of an earlier version with four participants."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from autokd.client import Client
from autokd.core.access_token import Scope
from autokd.service.app import Service
from autokd.workflows.tokens import create
from tests.service.conftest import settings, unpacked
from tests.service.serving import served_in_a_thread


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
    token = create(service.context.settings.address, name="laptop", scope=Scope.TUNE).text
    with served_in_a_thread(service) as address:
        yield Served(address, token, home)
    service.close()
    logger.propagate = True


@pytest.fixture(scope="package")
def client(served: Served) -> Iterator[Client]:
    with Client(served.url, served.token) as client:
        yield client
