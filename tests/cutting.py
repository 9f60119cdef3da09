"""A proxy in front of a database server, which cuts one connection at a chosen statement of its clients.

It reads only as much of the two protocols as it takes to count what the server is asked to do: PostgreSQL's
messages Query and Execute, MariaDB's commands COM_QUERY and COM_PING. What is cut ends as a network's failure
does, without a word of the server.
"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum
from typing import Final, Protocol, final

from sqlalchemy.engine import URL, make_url

_CHUNK: Final = 2**16


class Cut(StrEnum):
    """When the connection is cut."""

    BEFORE = "before"
    """The server never hears of the statement."""
    AFTER = "after"
    """The server has done it, and the client never hears of that."""


class _Counter(Protocol):
    """Reads what a client sends."""

    def feed(self, data: bytes) -> int:
        """Return how many statements end in this piece of the stream."""


class _Postgres:
    """Messages of a type and a length; the first one of a connection has no type."""

    def __init__(self) -> None:
        self._left, self._begun = b"", False

    def feed(self, data: bytes) -> int:
        self._left += data
        statements = 0
        while True:
            kind = 1 if self._begun else 0
            if len(self._left) < kind + 4:
                return statements
            (length,) = struct.unpack_from("!i", self._left, kind)
            if len(self._left) < kind + length:
                return statements
            message, self._left = self._left[: kind + length], self._left[kind + length :]
            if self._begun:
                statements += message[:1] in (b"Q", b"E")
            # A request for encryption (80877102 and its neighbour) comes before the true beginning.
            elif struct.unpack_from("!i", message, 4)[0] >> 16 == 3:
                self._begun = True


class _Mysql:
    """Packets of a length and a number; a command begins with number 0."""

    def __init__(self) -> None:
        self._left = b""

    def feed(self, data: bytes) -> int:
        self._left += data
        statements = 0
        while len(self._left) >= 4:
            length, number = int.from_bytes(self._left[:3], "little"), self._left[3]
            if len(self._left) < 4 + length:
                break
            packet, self._left = self._left[4 : 4 + length], self._left[4 + length :]
            statements += number == 0 and packet[:1] in (b"\x03", b"\x0e")
        return statements


@final
class CuttingProxy:
    """One listener and two threads for each connection.

    Attributes:
        port: Where it listens, on the loopback address.
        statements: Number of statements seen so far.
        cuts: Number of connections that were cut.
    """

    def __init__(self, server: tuple[str, int], counter: type[_Counter]) -> None:
        self._server, self._counter = server, counter
        self._lock = threading.Lock()
        self.statements, self.cuts = 0, 0
        self._at, self._again, self._cut = 0, 0, Cut.BEFORE
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def cut_at(self, statement: int, cut: Cut, *, again: int = 0) -> None:
        """Begin to count anew, and cut the connection of that statement, the first one being 1.

        Args:
            again: Cut also after so many statements more, and then after more and more of them, so that what
                is begun anew after each cut comes to its end; 0 for no other cut.
        """
        with self._lock:
            self.statements, self._at, self._again, self._cut = 0, statement, again, cut

    def close(self) -> None:
        self._listener.close()
        for pair in self._pairs:
            _end(*pair)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._server)
                for each in (client, server):
                    each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._pairs.append((client, server))
                answer = threading.Event()
                for work in (self._to_server, self._to_client):
                    threading.Thread(target=work, args=(client, server, answer), daemon=True).start()

    def _to_server(self, client: socket.socket, server: socket.socket, doomed: threading.Event) -> None:
        counter = self._counter()
        with suppress(OSError):
            while data := client.recv(_CHUNK):
                cut = self._count(counter.feed(data))
                if cut is Cut.BEFORE:
                    break
                if cut is Cut.AFTER:
                    doomed.set()
                server.sendall(data)
        if not doomed.is_set():
            _end(client, server)

    def _to_client(self, client: socket.socket, server: socket.socket, doomed: threading.Event) -> None:
        with suppress(OSError):
            while data := server.recv(_CHUNK):
                if doomed.is_set():
                    break  # The server has answered, so it has done it.
                client.sendall(data)
        _end(client, server)

    def _count(self, statements: int) -> Cut | None:
        with self._lock:
            before, self.statements = self.statements, self.statements + statements
            if before < self._at <= self.statements:
                self.cuts += 1
                self._at = self._at + self._again if self._again else 0
                self._again += self._again // 4
                return self._cut
        return None


def _end(*sockets: socket.socket) -> None:
    for each in sockets:
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
        each.close()


@contextmanager
def cutting(address: str) -> Iterator[tuple[CuttingProxy, str]]:
    """Yield a proxy in front of a server, and the URL of the same database through it."""
    url: URL = make_url(address)
    postgres = url.get_backend_name() == "postgresql"
    server = url.host or "127.0.0.1", url.port or (5432 if postgres else 3306)
    proxy = CuttingProxy(server, _Postgres if postgres else _Mysql)
    try:
        through = url.set(host="127.0.0.1", port=proxy.port)
        yield proxy, through.render_as_string(hide_password=False)
    finally:
        proxy.close()
