"""Clients of a service that cost little themselves: each request has a connection of its own."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import psutil

PERIOD: Final = 5.0
"""Seconds between two reads of a client."""


@dataclass(slots=True)
class Reads:
    """What the clients have seen.

    Attributes:
        seconds: From the start of the connection to the last byte, by what was asked for.
        refused: Answers with another status than 200, by status.
        events: Events that those who listen were told.
    """

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    refused: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    events: int = 0

    def summary(self) -> dict[str, Any]:
        """Return percentiles in milliseconds, of all and by what was asked for."""
        every = list(itertools.chain.from_iterable(self.seconds.values()))
        return {
            "all": percentiles(every),
            **{name: percentiles(seconds) for name, seconds in sorted(self.seconds.items())},
        }


@dataclass(frozen=True, slots=True)
class Server:
    """A service in a process of its own."""

    process: psutil.Process
    port: int
    tokens: Sequence[str]

    async def read(self, path: str, token: str, accept: str = "application/json") -> tuple[int, bytes]:
        """Return the status and the content of an address; a connection of its own, as of a new client."""
        reader, writer = await self._asked("GET", path, token, accept)
        try:
            status, headers = await _head(reader)
            return status, await reader.readexactly(int(headers["content-length"]))
        finally:
            writer.close()

    async def listen(self, path: str, token: str) -> AsyncIterator[Any]:
        """Yield the data of server-sent events until the stream ends."""
        reader, writer = await self._asked("GET", path, token, "text/event-stream")
        try:
            status, _ = await _head(reader)
            if status != 200:
                raise RuntimeError(f"{path}: {status}")
            while line := await reader.readline():
                if line.startswith(b"data: "):
                    yield json.loads(line[6:])
        finally:
            writer.close()

    async def post(self, path: str, content: Mapping[str, Any]) -> Any:
        """Post JSON, and return what is answered."""
        reader, writer = await self._asked("POST", path, self.tokens[0], "*/*", json.dumps(content).encode())
        try:
            status, headers = await _head(reader)
            body = await reader.readexactly(int(headers["content-length"]))
            if status >= 300:
                raise RuntimeError(f"{path}: {status} {body.decode()}")
            return json.loads(body)
        finally:
            writer.close()

    async def _asked(
        self, method: str, path: str, token: str, accept: str, body: bytes = b""
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=2**26)
        head = {
            "Host": f"127.0.0.1:{self.port}",
            "Authorization": f"Bearer {token}",
            "Accept": accept,
            "Connection": "close",
            "Content-Length": str(len(body)),
            "Content-Type": "application/json",
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
        writer.write(f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode() + body)
        return reader, writer


async def _head(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    """Return status and headers; of a stream, the length of its pieces stands between its lines."""
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines if line)
    return int(first.split()[1]), headers


def addresses(name: str, job: int, pairs: Sequence[str]) -> dict[str, list[str]]:
    """Return what clients ask for: one who follows a batch, one who looks at the pairs, and one at a pair."""
    study = f"/v1/studies/{name}"
    return {
        "job": [f"/v1/jobs/{job}"],
        "jobs": ["/v1/jobs?state=running", "/v1/jobs"],
        "study": [study],
        "pairs": [f"{study}/pairs", f"{study}/pairs?verdict=tuned"],
        "pair": [f"{study}/pairs/{pair.replace(',', '-')}" for pair in pairs],
    }


async def poll(server: Server, asked: Mapping[str, Sequence[str]], number: int, reads: Reads) -> None:
    """Ask for something in turn, every `PERIOD` seconds, until cancelled."""
    draw = random.Random(number)
    token = server.tokens[number % len(server.tokens)]
    next_time = time.monotonic() + draw.uniform(0, PERIOD)
    for kind in itertools.islice(itertools.cycle(asked), number % len(asked), None):
        await asyncio.sleep(max(0.0, next_time - time.monotonic()))
        next_time += PERIOD
        began = time.perf_counter()
        status, _ = await server.read(draw.choice(asked[kind]), token)
        if status == 200:
            reads.seconds[kind].append(time.perf_counter() - began)
        else:
            reads.refused[status] += 1


async def hear(server: Server, path: str, number: int, reads: Reads) -> None:
    """Listen to events until there are no more."""
    async for _ in server.listen(path, server.tokens[number % len(server.tokens)]):
        reads.events += 1


def percentiles(seconds: Sequence[float]) -> dict[str, float]:
    """Return the number of reads, and percentiles of their times in milliseconds."""
    ordered = sorted(seconds)
    if not ordered:
        return {"count": 0}
    named = {
        f"p{share}": ordered[min(len(ordered) - 1, len(ordered) * share // 100)] for share in (50, 90, 99)
    }
    return {
        "count": len(ordered),
        **{name: round(1000 * value, 1) for name, value in named.items()},
        "most": round(1000 * ordered[-1], 1),
    }
