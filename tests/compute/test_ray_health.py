"""A death of Ray is noticed by whoever waits for it, and is no interrupt of somebody's."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from autokd.compute import ray_health
from autokd.errors import FederationError, WorkersLost


class Raylet:
    """A process that is alive until it is killed."""

    def __init__(self) -> None:
        self.code: int | None = None

    def die(self) -> None:
        self.code = -9

    def poll(self) -> int | None:
        return self.code


@pytest.fixture
def raylet(monkeypatch: pytest.MonkeyPatch) -> Raylet:
    process = Raylet()
    node = SimpleNamespace(all_processes={"raylet": [SimpleNamespace(process=process)]})
    monkeypatch.setattr(ray_health, "_node", lambda: node)
    monkeypatch.setattr(ray_health, "_broken", [])
    return process


def prepare(*steps: Callable[[], object]) -> None:
    """Do something that needs Ray."""
    with ray_health.raising("the preparation"):
        for step in steps:
            step()


def wait() -> None:
    """For an answer that does not come."""
    time.sleep(20)


def fail() -> None:
    raise FederationError("a worker died")


def interrupt(*arguments: object) -> None:
    raise KeyboardInterrupt


def test_what_waits_for_ray_is_ended_with_the_way_out(raylet: Raylet) -> None:
    with pytest.raises(WorkersLost, match=r"during the preparation: its raylet .* the same command goes on"):
        prepare(raylet.die, wait)
    assert ray_health.death() == "its raylet"


def test_what_fails_by_the_death_before_it_is_noticed_is_no_other_error(raylet: Raylet) -> None:
    with pytest.raises(WorkersLost):
        prepare(raylet.die, fail)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_who_ends_the_command_together_with_ray_has_interrupted_it(
    raylet: Raylet, number: signal.Signals
) -> None:
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            prepare(raylet.die, lambda: os.kill(os.getpid(), number), wait)
    finally:
        assert signal.signal(signal.SIGTERM, before) is interrupt


def test_other_errors_stay_while_ray_lives(raylet: Raylet) -> None:
    assert raylet.poll() is None
    with pytest.raises(FederationError):
        prepare(fail)


def test_what_cannot_be_woken_is_ended_with_its_line(raylet: Raylet, monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[Exception | None] = []
    monkeypatch.setattr(ray_health, "wake_main_thread", lambda: None)
    monkeypatch.setattr(ray_health, "_STUCK_SECONDS", 0.0)
    monkeypatch.setattr(ray_health, "end_stuck", ended.append)
    with ray_health.raising("the preparation"):
        raylet.die()
        while not ended:
            time.sleep(0.01)
    (error,) = ended
    assert isinstance(error, WorkersLost)
