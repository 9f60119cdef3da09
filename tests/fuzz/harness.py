"""Feeds odd inputs to a reader; whatever it raises but an `AutokdError` in one line is a crash."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import seed as seeded
from hypothesis.strategies import SearchStrategy

from autokd.errors import AutokdError

LONGEST_MESSAGE = 4_000
"""A line that nobody would read to its end: input must not be quoted back as a whole."""


FORBIDDEN = re.compile(
    r"Input should|type=|input_value|pydantic|Traceback|yaml\.[a-z]+\.|Value error|Exceeds the limit|"
    r"<class|object at 0x|ValidationError|validator|Extra inputs|Field required|unable to parse"
)
"""What only programmers, or nobody, would understand."""


@dataclass(frozen=True)
class Target:
    """One thing that is read.

    Attributes:
        name: Of what is read.
        inputs: Odd ones, and some that are good.
        read: Reads one, as the commands do, and uses what it found; raises if it is refused.
    """

    name: str
    inputs: SearchStrategy[Any]
    read: Callable[[Any], object]


@dataclass
class Tally:
    """How a target took its inputs."""

    accepted: int = 0
    refused: int = 0

    @property
    def inputs(self) -> int:
        return self.accepted + self.refused


def fuzz(target: Target, examples: int, *, seed: int | None = None) -> Tally:
    """Read that many inputs.

    Raises:
        Exception: What a reader crashed with; hypothesis prints the smallest input that it found for it.
    """
    tally = Tally()

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(target.inputs)
    def try_input(value: Any) -> None:
        message = _refusal(target, value)
        if message is None:
            tally.accepted += 1
            return
        assert message
        assert not FORBIDDEN.search(message), message
        assert "\n" not in message, message
        assert len(message) <= LONGEST_MESSAGE, len(message)
        tally.refused += 1

    (try_input if seed is None else seeded(seed)(try_input))()
    return tally


def _refusal(target: Target, value: Any) -> str | None:
    """What it says of an input that it refuses."""
    try:
        target.read(value)
    except AutokdError as error:
        return str(error)
    return None
