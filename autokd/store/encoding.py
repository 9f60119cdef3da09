"""Arrays and curves in the compact form of the tables, which is the same on every machine."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from autokd.core.records import Correctness, RungScores
from autokd.core.setting import Split


def pack_bits(correct: Correctness) -> bytes:
    """Pack eight examples into a byte, the first in the highest bit; their number must be stored separately.

    Args:
        correct: Shape (examples,).
    """
    return np.packbits(np.asarray(correct, dtype=np.bool_)).tobytes()


def unpack_bits(packed: bytes, examples: int) -> Correctness:
    """Return the read-only inverse of `pack_bits`, shape (examples,).

    Raises:
        ValueError: If the bytes do not hold `examples` bits.
    """
    if len(packed) != (examples + 7) // 8:
        raise ValueError(f"{len(packed)} bytes cannot hold {examples} examples")
    bits = np.unpackbits(np.frombuffer(packed, dtype=np.uint8), count=examples).astype(np.bool_)
    bits.flags.writeable = False
    return bits


def pack_labels(labels: NDArray[np.int64]) -> bytes:
    """Pack class indices, shape (examples,), as little-endian 32-bit integers."""
    return np.asarray(labels).astype("<i4", casting="same_kind").tobytes()


def unpack_labels(packed: bytes) -> NDArray[np.int64]:
    """Return the read-only inverse of `pack_labels`."""
    labels = np.frombuffer(packed, dtype="<i4").astype(np.int64)
    labels.flags.writeable = False
    return labels


def pack_curve(curve: Sequence[RungScores]) -> str:
    """Return a swept run's rungs as JSON; floats keep their exact value."""
    return json.dumps([[rung.epoch, rung.seconds, rung.accuracy, rung.forgetting] for rung in curve])


def unpack_curve(packed: str) -> tuple[RungScores, ...]:
    """Return the inverse of `pack_curve`."""
    return tuple(
        RungScores(epoch, _by_split(accuracy), _by_split(forgetting), seconds)
        for epoch, seconds, accuracy, forgetting in json.loads(packed)
    )


def _by_split(values: dict[str, float]) -> dict[Split, float]:
    return {Split(split): value for split, value in values.items()}
