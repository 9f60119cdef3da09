"""Arrays in safetensors files: mapped into memory, written, and read in pieces.

Mapped arrays take no memory until they are read, and that memory can be released: the system reads the file
again when it is needed. So a data set may be larger than memory.
"""

from __future__ import annotations

import json
import mmap
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open

from autokd.core.atomic_write import OWNER_ONLY
from autokd.core.regular_files import check_regular

Arrays = Mapping[str, NDArray[np.generic]]
"""Arrays of one file, by name."""

PIECE_BYTES: Final = 2**24
"""Largest piece of an array, unless a single row is larger."""
_LENGTH_BYTES: Final = 8
"""Length of the field at the start of a file that holds the length of its header, little-endian."""
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
"""NumPy's names of types, in the reverse of the order in which the library writes them."""
_NAMES: Final = {name: ours for ours, name in _TYPES.items()}
_RANKS: Final = {name: rank for rank, name in enumerate(_NAMES)}


class _Map(mmap.mmap):
    """A file that this module has mapped.

    Other mappings are not released: a private one, as of `numpy.memmap` with mode `c`, would lose changes.
    """


def read(file: Path) -> dict[str, NDArray[Any]]:
    """Map the arrays of a file into memory, read-only.

    The file may be removed, but not written to, while an array is in use.

    Raises:
        OSError: If the file cannot be read.
        SafetensorError: If it is no such file, or cut off.
        ValueError: If NumPy lacks a type that it holds, or it is a pipe or a device.
    """
    check_regular(file.stat())
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
        # Other entries of an array are ignored, as the library does.
        name: _view(whole, entry["dtype"], entry["shape"], start + entry["data_offsets"][0])
        for name, entry in header.items()
    }


def _view(whole: _Map, dtype: str, shape: list[int], offset: int) -> NDArray[Any]:
    if dtype not in _TYPES:
        raise ValueError(f"NumPy has no type for {dtype}")
    count = int(np.prod(shape, dtype=np.int64))
    flat = np.frombuffer(whole, _TYPES[dtype], count=count, offset=offset)
    # Files of other writers may not be aligned; such arrays are copied.
    return np.require(flat, requirements="A").reshape(shape)


def mapped(descriptor: int) -> NDArray[np.uint8]:
    """Map the bytes of an open file for writing; the file may be closed and removed at once."""
    return np.frombuffer(_Map(descriptor, 0, access=mmap.ACCESS_WRITE), np.uint8)


def write(file: Path, arrays: Arrays) -> None:
    """Write the same bytes as `safetensors.numpy.save`, but without a copy of all arrays in memory.

    Write to a path that nobody reads, and move the file when this returns.

    Raises:
        OSError: If it cannot be written.
    """
    ordered = sorted(arrays.items(), key=lambda item: (-_RANKS[_type(item[1])], item[0]))
    header: dict[str, object] = {}
    end = 0
    for name, array in ordered:
        start, end = end, end + array.nbytes
        dtype, shape = _NAMES[_type(array)], list(array.shape)
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    # Padded, so that arrays are aligned.
    text += b" " * (-len(text) % _LENGTH_BYTES)
    with open(file, "wb", opener=_of_owner) as opened:
        opened.write(len(text).to_bytes(_LENGTH_BYTES, "little"))
        opened.write(text)
        for _, array in ordered:
            for piece in pieces(array):
                opened.write(piece.data)


def _of_owner(path: str, flags: int) -> int:
    return os.open(path, flags, OWNER_ONLY)


def _type(array: NDArray[np.generic]) -> str:
    return array.dtype.newbyteorder("<").str


def pieces(array: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Yield an array in consecutive parts along its first axis; the memory of each is released afterwards.

    Parts are contiguous and little-endian: views if the array is so, or else copies.
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
    """Return a copy of rows of an array, in the order of `rows`.

    They are read in the order of the file, which is fastest, and their memory is released.
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
    """Free the memory of arrays that are mapped from files; other arrays are left alone.

    The arrays stay valid: the system reads the files again when needed.
    """
    for array in arrays:
        whole = _mapping(array)
        if whole is None or not array.size:
            continue
        # For an array that is not contiguous: all between its first and its last element.
        low, high = np.lib.array_utils.byte_bounds(array)
        base = np.frombuffer(whole, np.uint8, count=1).ctypes.data
        start = (low - base) // mmap.PAGESIZE * mmap.PAGESIZE
        whole.madvise(mmap.MADV_DONTNEED, start, high - base - start)


def _mapping(array: NDArray[Any]) -> _Map | None:
    """Return the mapped file that holds an array, or None."""
    base: object = array
    while isinstance(base, np.ndarray | memoryview):
        base = base.base if isinstance(base, np.ndarray) else base.obj
    return base if isinstance(base, _Map) else None
