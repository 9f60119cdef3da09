"""Streams and connections: how many somebody may have open, and when they are closed."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from autokd.service.app import Service
from autokd.service.problems import Problem
from autokd.service.streams import Streams
from tests.service.conftest import settings
from tests.service.serving import served_in_a_thread


def test_a_stream_that_is_never_quiet_ends_with_its_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("autokd.service.streams._LOOK_SECONDS", 0.0)
    answers = iter([True, True, False])
    closed: list[bool] = []

    async def busy() -> AsyncGenerator[bytes, None]:
        try:
            while True:
                yield b"event"
        finally:
            closed.append(True)

    async def may_read() -> bool:
        return next(answers)

    async def listen() -> list[bytes]:
        streams = Streams()
        heard = [piece async for piece in streams.bounded("a", busy(), may_read)]
        assert not streams._open
        return heard

    assert asyncio.run(listen()) == [b"event"] * 2
    assert closed


def test_nobody_takes_all_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("autokd.service.streams._MOST", 2)
    monkeypatch.setattr("autokd.service.streams._MOST_OF_ALL", 3)

    async def endless() -> AsyncGenerator[bytes, None]:
        while True:
            yield b"event"

    async def may_read() -> bool:
        return True

    async def listen() -> list[str]:
        streams, said, opened = Streams(), [], []
        for key in ("a", "a", "a", "b", "b"):
            try:
                streams.check(key)
            except Problem as problem:
                said.append(f"{key} {problem.status}")
            else:
                opened.append(streams.bounded(key, endless(), may_read))
                await anext(opened[-1])
        for stream in opened:
            await stream.aclose()
        streams.check("a")
        return said

    assert asyncio.run(listen()) == ["a 429", "b 429"]


def test_a_client_that_says_nothing_or_half_of_it_is_hung_up_on(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = Service(settings(home, studies=()))
    monkeypatch.setattr("autokd.service.connections._HEAD_SECONDS", 0.3)
    with served_in_a_thread(service) as address:
        host, port = address.removeprefix("http://").split(":")
        for begun in (b"", b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ", b"GET /healthz HTTP/1.1\r\n" * 2):
            with socket.create_connection((host, int(port)), timeout=60) as client:
                client.sendall(begun)
                # What comes is nothing, or that it cannot be read; then there is an end.
                said = b""
                while piece := client.recv(4096):
                    said += piece
                assert not said or said.startswith(b"HTTP/1.1 400")
        with socket.create_connection((host, int(port)), timeout=60) as client:
            client.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert client.recv(4096).startswith(b"HTTP/1.1 200")
            client.sendall(b"GET /heal")
            rest = b""
            while piece := client.recv(4096):
                rest += piece
            assert b"HTTP/1.1" not in rest
