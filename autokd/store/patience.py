"""A server that was stopped or hangs: its system keeps the connections, so that nothing else ends a wait.

Whoever waits is told after some seconds, and the connection is cut after a minute: that is an outage as any
other (`autokd.store.retrying`). PyMySQL has a time limit of its own; psycopg has none.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

from sqlalchemy import Engine, event

PATIENCE: Final = "autokd_patience"
"""Argument of a connection whose calls have a time limit, in seconds; no driver sees it."""
SECONDS: Final = 60.0
"""Longest time that a statement may take: one of ours takes a second on a large store."""
_SILENT_SECONDS: Final = 5.0
_LOOK_SECONDS: Final = 0.5
_log = logging.getLogger(__name__)


class _Watch:
    """Looks at the calls that are under way, in a thread that lives while there are any."""

    def __init__(self) -> None:
        self._calls: dict[int, tuple[float, float, int]] = {}
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._process = 0

    @contextmanager
    def call(self, handle: int, seconds: float) -> Iterator[None]:
        """Cut the connection of a socket if what runs inside takes longer."""
        key = threading.get_ident()
        with self._lock:
            self._calls[key] = time.monotonic(), seconds, handle
            if self._process != os.getpid():
                self._process = os.getpid()
                threading.Thread(target=self._look, name="autokd-database", daemon=True).start()
        self._wake.set()
        try:
            yield
        finally:
            with self._lock:
                self._calls.pop(key, None)

    def _look(self) -> None:
        warned: set[float] = set()
        while True:
            self._wake.wait()
            time.sleep(_LOOK_SECONDS)
            with self._lock:
                if not self._calls:
                    self._wake.clear()
                    warned.clear()
                for began, seconds, handle in list(self._calls.values()):
                    waited = time.monotonic() - began
                    if waited > seconds:
                        _cut(handle)
                    elif waited > min(_SILENT_SECONDS, seconds / 2) and began not in warned:
                        warned.add(began)
                        _log.warning(
                            "the database has not answered for %.0f s; its connection is cut after %.0f s",
                            waited,
                            seconds,
                        )


_WATCH: Final = _Watch()


def _cut(handle: int) -> None:
    """End what is sent over a socket both ways; who waits for it gets an error. The socket stays open."""
    with suppress(OSError), socket.socket(fileno=os.dup(handle)) as connection:
        connection.shutdown(socket.SHUT_RDWR)


@event.listens_for(Engine, "do_connect")
def _connect(dialect: Any, record: object, arguments: list[Any], options: dict[str, Any]) -> Any:
    """Return a connection of psycopg with a time limit if its options ask for one; else None."""
    seconds = options.pop(PATIENCE, None)
    if seconds is None:
        return None
    import psycopg

    class Limited(psycopg.Connection[Any]):
        """Every call waits in `wait`."""

        def wait(self, *arguments: Any, **named: Any) -> Any:
            with _WATCH.call(self.fileno(), float(seconds)):
                return super().wait(*arguments, **named)

    return Limited.connect(*arguments, **options)
