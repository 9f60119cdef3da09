"""A service on a port of this machine, in a thread of the tests."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from autokd.service.app import Service
from autokd.service.server import configuration


@contextmanager
def served_in_a_thread(service: Service) -> Iterator[str]:
    """Yield the address of a service; open streams of events are ended with it."""
    config = configuration(service)
    config.port = 0
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        thread.join(0.05)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        service.context.feed.close()
        server.should_exit = True
        thread.join()
