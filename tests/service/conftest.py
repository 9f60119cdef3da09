"""The service in this process, on the real store of an earlier version with four participants."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

from autokd.core.access_token import Scope
from autokd.service.app import Service
from autokd.service.settings import ServiceSettings
from autokd.workflows.tokens import create
from tests.paths import ROOT

STUDY = ROOT / "tests" / "compatibility" / "small.yaml"


class Api:
    """A client of a service, without a network."""

    address = "127.0.0.1"

    def __init__(self, service: Service, token: str | None = None) -> None:
        self.service = service
        self.headers = {} if token is None else {"Authorization": f"Bearer {token}"}

    def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        headers = {**self.headers, **more.pop("headers", {})}

        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(
                self.service, raise_app_exceptions=False, client=(self.address, 123)
            )
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8321") as client:
                return await client.request(method, path, headers=headers, **more)

        return asyncio.run(ask())

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self.request(
            "GET", path, headers={name.replace("_", "-"): text for name, text in headers.items()}
        )

    def json(self, path: str) -> Any:
        answer = self.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()


def unpacked(folder: Path) -> Path:
    """A home in which all twelve pairs of `small` are tuned."""
    shutil.unpack_archive(ROOT / "tests" / "compatibility" / "home.zip", folder / "home")
    return folder / "home"


def settings(home: Path, **more: Any) -> ServiceSettings:
    return ServiceSettings(**{"home": home, "studies": (STUDY,), "rate": 10_000, **more})


@pytest.fixture(scope="package")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home to read from; nobody changes it."""
    return unpacked(tmp_path_factory.mktemp("service"))


@pytest.fixture(scope="package")
def service(shared: Path) -> Iterator[Service]:
    opened = Service(settings(shared))
    yield opened
    opened.close()


@pytest.fixture(scope="package")
def token(service: Service) -> str:
    """A token that may read."""
    address = service.context.settings.address
    return create(address, name="reader", scope=Scope.READ).text


@pytest.fixture(scope="package")
def api(service: Service, token: str) -> Api:
    return Api(service, token)


@pytest.fixture(scope="module")
def idle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service on an empty home, whose jobs nobody does; it looks at the store anew each time."""
    opened = Service(settings(tmp_path_factory.mktemp("idle") / "home", studies=()), fresh_seconds=0)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def tuner(idle: Service) -> Api:
    """A client of the idle service that may tune."""
    return Api(idle, create(idle.context.settings.address, name="tuner", scope=Scope.TUNE).text)


@pytest.fixture(scope="module")
def reader(idle: Service) -> Api:
    """A client of the idle service that may read."""
    return Api(idle, create(idle.context.settings.address, name="reader", scope=Scope.READ).text)
