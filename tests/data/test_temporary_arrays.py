from __future__ import annotations

import os
import tempfile
from pathlib import Path

import numpy as np
import pytest

from autokd.data import mapped_arrays, temporary_arrays
from autokd.data.temporary_arrays import concatenate, copy_rows, empty
from autokd.errors import InputError

ROWS = np.random.default_rng(0).integers(0, 256, (50, 3, 4, 4), dtype=np.uint8)


@pytest.fixture(params=["in memory", "on disk"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(
        temporary_arrays, "free_bytes", lambda device: 0 if request.param == "on disk" else None
    )
    monkeypatch.setattr(temporary_arrays, "_CHUNK", 7)
    return str(request.param)


@pytest.mark.parametrize(("shape", "dtype"), [((5, 3), np.float32), ((7,), np.uint8), ((0, 4), np.int64)])
def test_an_array_can_be_filled_and_read(place: str, shape: tuple[int, ...], dtype: type) -> None:
    made = empty(shape, dtype)
    assert made.shape == shape
    assert made.dtype == dtype
    assert made.flags.writeable
    made[...] = np.arange(made.size).reshape(shape)
    np.testing.assert_array_equal(made, np.arange(made.size).reshape(shape))


def test_it_lies_where_it_should_and_leaves_no_name(place: str, tmp_path: Path) -> None:
    made = empty((10, 1000), np.uint8)
    made[...] = 1
    maps = Path("/proc/self/maps")
    if maps.exists():
        assert (f"{tmp_path}/" in maps.read_text()) == (place == "on disk")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("place")
def test_some_rows_are_in_the_order_in_which_they_are_asked_for() -> None:
    rows = np.random.default_rng(1).permutation(50)[:30]
    np.testing.assert_array_equal(copy_rows(ROWS, rows), ROWS[rows])
    assert copy_rows(ROWS, rows[:0]).shape == (0, 3, 4, 4)


@pytest.mark.usefixtures("place")
def test_joined_is_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mapped_arrays, "PIECE_BYTES", 100)
    parts = [ROWS[:20], ROWS[:0], ROWS[20:21], ROWS[21:]]
    np.testing.assert_array_equal(concatenate(parts), ROWS)


def test_a_full_disk_is_said_with_the_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(temporary_arrays, "free_bytes", lambda device: 0)

    def full(*_: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(InputError, match=r"no room for 3\.0 GB.*No space left.*TMPDIR"):
        empty((3, 10**9), np.uint8)
