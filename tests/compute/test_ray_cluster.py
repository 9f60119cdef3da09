"""Addresses of clusters: what is none is said in a line and at once, where Ray would try for minutes."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from ray._private import services, worker

from autokd.compute import ray_cluster
from autokd.compute.ray_cluster import check_address, check_answers
from autokd.errors import InputError, WorkersLost
from tests.conftest import RayWorkers


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A port at which somebody listens and says nothing."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        yield listening


def address_of(listening: socket.socket) -> str:
    host, port = listening.getsockname()
    return f"{host}:{port}"


@pytest.mark.parametrize("address", ["auto", "10.0.0.1:6379", "head.example:6379", "[fe80::1]:6379"])
def test_an_address(address: str) -> None:
    check_address(address)


@pytest.mark.parametrize("address", ["head", "head:", ":6379", "head:ray", "head:65536", "head:-1", "Auto"])
def test_what_is_none(address: str) -> None:
    with pytest.raises(InputError, match="give HOST:PORT"):
        check_address(address)


@pytest.mark.parametrize("address", ["ray://head:10001", "http://head:8265"])
def test_a_driver_elsewhere_is_refused_with_the_ways_there_are(address: str) -> None:
    with pytest.raises(InputError, match=r"ray start named, on a node of the cluster.*ray job submit"):
        check_address(address)


def test_nobody_is_there() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # Bound but not listening.
        with pytest.raises(InputError, match=r"nobody answers at .*refused"):
            check_answers(address_of(taken))


def test_a_host_that_does_not_exist() -> None:
    with pytest.raises(InputError, match=r"nobody answers at nowhere\.invalid:6379"):
        check_answers("nowhere.invalid:6379")


def test_somebody_who_says_nothing(listener: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_cluster, "_ANSWER_SECONDS", 0.2)
    with pytest.raises(InputError, match=r"nobody answers at .*timed out"):
        check_answers(address_of(listener))


@pytest.mark.parametrize(
    ("answer", "holds"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", False),
        (b"hello", False),
        (b"", False),
        (bytes((0, 0, 6, 4, 0, 0, 0, 0, 0)) + b"\x00\x03\x00\x00\x00\x64", True),
    ],
)
def test_only_who_greets_as_ray_does_is_taken_for_it(
    listener: socket.socket, answer: bytes, holds: bool
) -> None:
    def say() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(1024)
            connection.sendall(answer)

    server = threading.Thread(target=say)
    server.start()
    try:
        if holds:
            check_answers(address_of(listener))
        else:
            with pytest.raises(InputError, match=r"is not Ray.*not the dashboard's"):
                check_answers(address_of(listener))
    finally:
        server.join()


def test_auto_is_asked_for_an_answer_like_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv("RAY_ADDRESS", address_of(taken))  # which Ray takes for an answer to `auto`
        with pytest.raises(InputError, match="--ray-address auto: nobody answers"):
            check_answers("auto")


@pytest.mark.parametrize("error", [ConnectionError("none is running"), ValueError("of another form")])
def test_auto_where_there_is_no_cluster(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(address: str) -> None:
        raise error

    monkeypatch.setattr(services, "canonicalize_bootstrap_address", fail)
    with pytest.raises(InputError, match="this machine is not a node of a running cluster"):
        check_answers("auto")


def test_this_machine_alone_needs_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(ray_cluster, "_resolve", asked.append)
    check_answers(None)
    assert not asked


@pytest.mark.parametrize(
    ("said", "way_out"),
    [
        ("The current node timed out during startup. This could", "busy with other work?"),
        ("[Errno 28] No space left on device", "RAY_TMPDIR names another one"),
    ],
)
def test_what_keeps_ray_from_starting_has_its_way_out(
    said: str, way_out: str, ray_workers: RayWorkers, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(**options: object) -> None:
        raise RuntimeError(said)

    ray_workers.close()  # One that runs in this process would be used.
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    monkeypatch.setattr("ray.init", fail)
    with pytest.raises(WorkersLost, match="cannot start") as caught, ray_cluster.session():
        pass
    assert said.rstrip(".") in str(caught.value)
    assert way_out in str(caught.value)


def test_what_ray_says_of_a_worker_that_died_is_not_among_the_results(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def say(words: str) -> str:
        worker.print_to_stdstream({"lines": [words], "pid": "raylet", "is_err": False}, ignore_prefix=False)
        return capsys.readouterr().out

    with ray_cluster.silent():
        assert not say("A worker died or was killed")
    # Other words, since Ray says the same only once.
    assert "Another one" in say("Another one")
