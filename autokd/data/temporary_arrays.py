"""New arrays that may be larger than memory.

A large array is in a temporary file without a name, so that nothing is left of it, even by a killed program.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autokd.compute.free_memory import fits_in_memory, free_bytes
from autokd.data.mapped_arrays import mapped, pieces, take_rows
from autokd.errors import InputError

_CHUNK = 4096
"""Number of rows that are copied at once."""


def empty(shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    """Return an array to be filled: in memory, or on disk if memory is short.

    Raises:
        InputError: If the disk is full, too.
    """
    size = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
    if not size or fits_in_memory(size, free_bytes("cpu")):
        return np.empty(shape, dtype)
    try:
        with tempfile.TemporaryFile(prefix="autokd-") as file:
            # Reserved now: a disk that is full later would kill the program without a message.
            os.posix_fallocate(file.fileno(), 0, size)
            on_disk: NDArray[Any] = mapped(file.fileno()).view(dtype).reshape(shape)
            return on_disk
    except OSError as error:
        raise InputError(
            f"{tempfile.gettempdir()}: memory has no room for {size / 1e9:.1f} GB, and this folder neither "
            f"({error.strerror or error}); set TMPDIR to a folder that has"
        ) from error


def copy_rows(source: NDArray[Any], rows: NDArray[np.int64]) -> NDArray[Any]:
    """Return a copy of rows, in the order of `rows`."""
    copy = empty((len(rows), *source.shape[1:]), source.dtype)
    for start in range(0, len(rows), _CHUNK):
        copy[start : start + _CHUNK] = take_rows(source, rows[start : start + _CHUNK])
    return copy


def concatenate(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Return arrays of one type, joined along their first axis."""
    joined = empty((sum(map(len, parts)), *parts[0].shape[1:]), parts[0].dtype)
    row = 0
    for part in parts:
        for piece in pieces(part):
            joined[row : row + len(piece)] = piece
            row += len(piece)
    return joined
