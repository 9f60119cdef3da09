"""How much the batches of an Arrow stream unfold to, without unfolding them: their buffers may be compressed.

Each message is a flatbuffer (format/Message.fbs of Apache Arrow), of which this reads what it needs.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, BinaryIO, Final

_DICTIONARY: Final = 2
_BATCH: Final = 3
"""Types of a message's header."""


def unfolded_bytes(opened: BinaryIO) -> int:
    """Return the bytes that all batches of a stream take in memory; the stream is read to its end.

    Raises:
        ValueError, struct.error, IndexError: If it is damaged.
    """
    import pyarrow as pa

    return sum(
        _unfolded(bytes(message.metadata), message.body)
        for message in pa.ipc.MessageReader.open_stream(opened)
    )


def _unfolded(metadata: bytes, body: Any) -> int:
    message = _Table(metadata, _at("<I", metadata, 0))
    kind = message.number("B", 1)
    header = message.table(2)
    if kind == _DICTIONARY and header is not None:
        header = header.table(1)
    if kind not in (_DICTIONARY, _BATCH) or header is None:
        return 0
    compressed = header.table(3) is not None
    return sum(_length(body, begin, length, compressed) for begin, length in header.pairs(2))


def _length(body: Any, begin: int, length: int, compressed: bool) -> int:
    if not compressed or not length:
        return length
    # A compressed buffer begins with its length; -1 says that it was left as it is.
    unpacked = _at("<q", bytes(body[begin : begin + 8]), 0)
    return length if unpacked < 0 else unpacked


class _Table:
    """A table of a flatbuffer, whose fields are known by their numbers."""

    def __init__(self, content: bytes, place: int) -> None:
        self._content, self._place = content, place
        self._fields = place - _at("<i", content, place)

    def _field(self, number: int) -> int | None:
        offset = 4 + 2 * number
        if offset >= _at("<H", self._content, self._fields):
            return None
        place = _at("<H", self._content, self._fields + offset)
        return self._place + place if place else None

    def number(self, form: str, number: int) -> int:
        """Return a field that is a number; 0 if it is left out."""
        place = self._field(number)
        return 0 if place is None else _at(f"<{form}", self._content, place)

    def table(self, number: int) -> _Table | None:
        """Return a field that is a table."""
        place = self._field(number)
        return None if place is None else _Table(self._content, place + _at("<I", self._content, place))

    def pairs(self, number: int) -> Iterator[tuple[int, int]]:
        """Yield a field that is a list of pairs of 64-bit numbers."""
        place = self._field(number)
        if place is not None:
            place += _at("<I", self._content, place)
            for item in range(_at("<I", self._content, place)):
                begin, length = struct.unpack_from("<qq", self._content, place + 4 + 16 * item)
                yield begin, length


def _at(form: str, content: bytes, place: int) -> int:
    value: int = struct.unpack_from(form, content, place)[0]
    return value
