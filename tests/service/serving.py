"""A service on a port of this machine, in a thread of the tests, and waiting for what it does."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
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


def until(met: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < end
        time.sleep(0.1)
