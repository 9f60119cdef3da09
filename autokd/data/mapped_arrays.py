"""Arrays in files (safetensors): mapped into memory to be read, written and walked through in pieces.

What is mapped costs no memory until it is looked at, and what has been looked at can be let go of: the system
reads it from disk again when it is asked for. So a data set may be larger than memory.
"""

from __future__ import annotations

import json
import mmap
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open

Arrays = Mapping[str, NDArray[np.generic]]
"""Arrays by name: what one file holds."""

PIECE_BYTES: Final = 2**24
"""Of an array that is walked through, so much is in memory at a time (or one row, where that is larger)."""
_LENGTH_BYTES: Final = 8
"""A file begins with the length of its header, little-endian."""
_TYPES: Final = {
    "BOOL": "|b1",
    "U8": "|u1",
    "I8": "|i1",
    "I16": "<i2",
    "U16": "<u2",
    "F16": "<f2",
    "I32": "<i4",
    "U32": "<u4",
    "F32": "<f4",
    "F64": "<f8",
    "I64": "<i8",
    "U64": "<u8",
}
"""NumPy's names of those types that it has, in the order in which the library writes them, last one first."""
_NAMES: Final = {name: ours for ours, name in _TYPES.items()}
_RANK: Final = {name: rank for rank, name in enumerate(_NAMES)}


class _Map(mmap.mmap):
    """A file, mapped by this module.

    Not any mapping: of a private one, as `numpy.memmap` makes with mode `c`, letting go would lose what was
    changed.
    """


def read(file: Path) -> dict[str, NDArray[Any]]:
    """What a file holds, mapped into memory; the arrays are read-only.

    The file must not be written to as long as an array is in use; it may be removed.

    Raises:
        OSError: If the file cannot be read.
        SafetensorError: If it is none, or cut off.
        ValueError: If it holds what NumPy has no type for.
    """
    # The library checks the header: types, and that the arrays fill the file without a gap.
    with safe_open(file, framework="numpy"):
        pass
    with file.open("rb") as opened:
        length = int.from_bytes(opened.read(_LENGTH_BYTES), "little")
        header = json.loads(opened.read(length))
        whole = _Map(opened.fileno(), 0, access=mmap.ACCESS_READ)
    header.pop("__metadata__", None)
    start = _LENGTH_BYTES + length
    return {
        # Whatever else a writer may say of an array is passed over, as the library does.
        name: _view(whole, entry["dtype"], entry["shape"], start + entry["data_offsets"][0])
        for name, entry in header.items()
    }


def _view(whole: _Map, dtype: str, shape: list[int], offset: int) -> NDArray[Any]:
    if dtype not in _TYPES:
        raise ValueError(f"NumPy has no type for {dtype}")
    count = int(np.prod(shape, dtype=np.int64))
    flat = np.frombuffer(whole, _TYPES[dtype], count=count, offset=offset)
    # Files of other writers may not be aligned; what is a few bytes off is copied.
    return np.require(flat, requirements="A").reshape(shape)


def mapped(descriptor: int) -> NDArray[np.uint8]:
    """The bytes of an open file; what is written to them goes into the file.

    The file may be closed, and removed, at once.
    """
    return np.frombuffer(_Map(descriptor, 0, access=mmap.ACCESS_WRITE), np.uint8)


def write(file: Path, arrays: Arrays) -> None:
    """Write a file, byte by byte what `safetensors.numpy.save` makes, without it in memory as a whole.

    It is whole only when this returns: write to a place that nobody reads, and move it.

    Raises:
        OSError: If it cannot be written.
    """
    ordered = sorted(arrays.items(), key=lambda item: (-_RANK[_type(item[1])], item[0]))
    header: dict[str, object] = {}
    end = 0
    for name, array in ordered:
        start, end = end, end + array.nbytes
        header[name] = {
            "dtype": _NAMES[_type(array)],
            "shape": list(array.shape),
            "data_offsets": [start, end],
        }
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    # Padded, so that arrays are aligned.
    text += b" " * (-len(text) % _LENGTH_BYTES)
    # Not save_file, which makes files that nobody but their owner may read.
    with file.open("wb") as opened:
        opened.write(len(text).to_bytes(_LENGTH_BYTES, "little"))
        opened.write(text)
        for _, array in ordered:
            for piece in pieces(array):
                opened.write(piece.data)


def _type(array: NDArray[np.generic]) -> str:
    return array.dtype.newbyteorder("<").str


def pieces(array: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """An array's values in order, as consecutive parts along its first axis; each is let go of afterwards.

    Yields:
        Contiguous and little-endian; a view where the array is so, else a copy of this part only.
    """
    rows = array.reshape(1) if array.ndim == 0 else array
    if not rows.size:
        return
    step = max(1, PIECE_BYTES // (rows.nbytes // len(rows)))
    for start in range(0, len(rows), step):
        part = rows[start : start + step]
        yield np.ascontiguousarray(part, dtype=part.dtype.newbyteorder("<"))
        release([part])


def take_rows(source: NDArray[Any], rows: NDArray[np.int64]) -> NDArray[Any]:
    """A copy of some rows of an array, in the order in which they are asked for.

    They are read in the order in which they lie, which a disk does fastest, and let go of.
    """
    if not rows.size:
        return source[rows]
    if bool((rows[1:] >= rows[:-1]).all()):
        first, last, copy = rows[0], rows[-1], source[rows]
    else:
        order = np.argsort(rows)
        first, last = rows[order[0]], rows[order[-1]]
        copy = np.empty((len(rows), *source.shape[1:]), dtype=source.dtype)
        copy[order] = source[rows[order]]
    release([source[first : last + 1]])
    return copy


def release(arrays: Iterable[NDArray[Any]]) -> None:
    """Give back the memory of what was read from files, which stay mapped; of other arrays nothing.

    Only what is faster than disk is lost: whoever looks at it again finds it as it was.
    """
    for array in arrays:
        whole = _mapping(array)
        if whole is None or not array.size:
            continue
        # Of an array that is not contiguous, all between its first and its last element.
        low, high = np.lib.array_utils.byte_bounds(array)
        base = np.frombuffer(whole, np.uint8, count=1).ctypes.data
        start = (low - base) // mmap.PAGESIZE * mmap.PAGESIZE
        whole.madvise(mmap.MADV_DONTNEED, start, high - base - start)


def _mapping(array: NDArray[Any]) -> _Map | None:
    """Where an array's memory comes from, if that is a file mapped here."""
    base: object = array
    while isinstance(base, np.ndarray | memoryview):
        base = base.base if isinstance(base, np.ndarray) else base.obj
    return base if isinstance(base, _Map) else None
