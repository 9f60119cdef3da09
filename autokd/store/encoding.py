"""Arrays and curves in the compact form of the tables, which is the same on every machine."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from autokd.core.records import Correctness, Logits, RungScores
from autokd.core.setting import Split

_PART_BYTES: Final = 2**22
_CURVE: Final = TypeAdapter(list[tuple[int, float, dict[Split, float], dict[Split, float]]])


def pack_bits(correct: Correctness) -> bytes:
    """Pack eight examples into a byte, the first in the highest bit; their number is stored separately."""
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


def pack_logits(logits: Logits) -> list[bytes]:
    """Return the rows as little-endian 16-bit floats, in parts that every server takes as one value.

    MySQL and MariaDB refuse a statement of more than 16 MB by default.
    """
    step = max(1, _PART_BYTES // (2 * logits.shape[1]))
    rows = np.asarray(logits).astype("<f2", casting="equiv")
    return [rows[start : start + step].tobytes() for start in range(0, len(rows), step)]


def unpack_logits(parts: Sequence[bytes], classes: int) -> Logits:
    """Return the read-only inverse of `pack_logits`, shape (examples, classes).

    Raises:
        ValueError: If the bytes are not whole rows.
    """
    return np.frombuffer(b"".join(parts), dtype="<f2").astype(np.float16, copy=False).reshape(-1, classes)


def pack_curve(curve: Sequence[RungScores]) -> str:
    """Return a swept run's rungs as JSON; floats keep their exact value."""
    return json.dumps([[rung.epoch, rung.seconds, rung.accuracy, rung.forgetting] for rung in curve])


def unpack_curve(packed: str) -> tuple[RungScores, ...]:
    """Return the inverse of `pack_curve`."""
    return tuple(
        RungScores(epoch, accuracy, forgetting, seconds)
        for epoch, seconds, accuracy, forgetting in _CURVE.validate_json(packed)
    )
