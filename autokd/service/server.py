"""Runs the service with uvicorn, and writes its log."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

import uvicorn

from autokd.errors import InputError
from autokd.service.app import Service
from autokd.service.connections import PatientProtocol
from autokd.service.envelope import JsonLines
from autokd.service.settings import ServiceSettings

_CONNECTIONS: Final = 500
"""Connections and requests at once; one more is answered with 503."""
_SHUTDOWN_SECONDS: Final = 10
_LOGGERS: Final = ("autokd", "uvicorn")


def serve(settings: ServiceSettings, on_start: Callable[[int], None] = lambda port: None) -> None:
    """Serve until a signal ends it; requests that are being answered get some seconds.

    Args:
        on_start: Called with the port once the service listens.

    Raises:
        InputError: If the settings do not hold, or something else listens there.
        StorageUnavailable: If the database does not answer.
    """
    service = Service(settings)
    service.context.opened.store  # noqa: B018  It is made or upgraded now, and a slip in its address is told.
    config = configuration(service)
    # uvicorn has ended in good order by then, and raises what ended it once more.
    with _log_lines(), suppress(KeyboardInterrupt):
        try:
            _Server(config, service, on_start).run()
        except SystemExit:
            service.close()
            where = f"--host {settings.host} --port {settings.port}"
            raise InputError(f"{where}: cannot listen there, as the log says; choose another port") from None


def configuration(service: Service) -> uvicorn.Config:
    """Return how uvicorn serves a service."""
    settings = service.context.settings
    return uvicorn.Config(
        service,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        # Anybody can write X-Forwarded-For: who asks is whoever is connected, if that is no known proxy.
        proxy_headers=bool(settings.proxies),
        forwarded_allow_ips=list(settings.proxies),
        http=PatientProtocol,
        ws="none",
        limit_concurrency=_CONNECTIONS,
        timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
    )


class _Server(uvicorn.Server):
    """A server that says when it listens."""

    def __init__(self, config: uvicorn.Config, service: Service, on_start: Callable[[int], None]) -> None:
        super().__init__(config)
        self._service, self._on_start = service, on_start

    async def startup(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]
        await super().startup(sockets)  # type: ignore[arg-type]
        if self.started:
            self._on_start(self.servers[0].sockets[0].getsockname()[1])

    async def shutdown(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]
        # Streams of events would last longer than requests may.
        self._service.context.feed.close()
        await super().shutdown(sockets)  # type: ignore[arg-type]


@contextmanager
def _log_lines() -> Iterator[None]:
    """Write the records of autokd and uvicorn to standard error, each as one line of JSON."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    before: dict[str, tuple[list[logging.Handler], bool, int]] = {}
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        before[name] = logger.handlers, logger.propagate, logger.level
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        for name, (handlers, propagate, level) in before.items():
            logger = logging.getLogger(name)
            logger.handlers, logger.propagate = handlers, propagate
            logger.setLevel(level)
