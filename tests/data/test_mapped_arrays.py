from __future__ import annotations

import mmap
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from numpy.typing import NDArray
from safetensors import SafetensorError

from autokd.data import mapped_arrays
from autokd.federation.federation import Federation
from autokd.federation.storage import federations_folder, load, save

MIB = 2**20


def some() -> dict[str, NDArray[Any]]:
    """Of all types, and of odd shapes, orders and names."""
    dice = np.random.default_rng(0)
    numbers = {
        kind: (100 * dice.random((5, 3))).astype(kind)
        for kind in "? u1 i1 i2 u2 f2 i4 u4 f4 f8 i8 u8".replace("?", "b1").split()
    }
    return {
        **numbers,
        "images": dice.integers(0, 256, (100, 3, 8, 8), dtype=np.uint8),
        "one number": np.array(7),
        "none": np.zeros((0, 4), dtype=np.int64),
        "columns first": np.asfortranarray(dice.random((5, 6), dtype=np.float32)),
        "every second": np.arange(20)[::2],
        "swapped": np.arange(4, dtype=">i4"),
        'É "quoted"': np.ones(2),
    }


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few rows each, so that arrays of a test have many."""
    monkeypatch.setattr(mapped_arrays, "PIECE_BYTES", 1000)


@pytest.mark.usefixtures("small_pieces")
def test_what_is_written_is_what_the_library_writes(tmp_path: Path) -> None:
    mapped_arrays.write(tmp_path / "file", some())
    plain = {name: np.asarray(value, order="C") for name, value in some().items()}
    plain["swapped"] = plain["swapped"].astype("<i4")
    assert (tmp_path / "file").read_bytes() == safetensors.numpy.save(plain)


@pytest.mark.usefixtures("small_pieces")
def test_what_is_mapped_is_what_was_written(tmp_path: Path) -> None:
    mapped_arrays.write(tmp_path / "file", some())
    arrays = mapped_arrays.read(tmp_path / "file")
    assert arrays.keys() == some().keys()
    for name, value in some().items():
        assert (arrays[name].shape, arrays[name].dtype) == (value.shape, value.dtype.newbyteorder("<"))
        np.testing.assert_array_equal(arrays[name], value)
        assert not arrays[name].flags.writeable or not value.size
        np.testing.assert_array_equal(pickle.loads(pickle.dumps(arrays[name])), value)


def test_what_another_writer_did_not_align_is_read(tmp_path: Path) -> None:
    content = safetensors.numpy.save({"a": np.arange(5.0)}, metadata={"x": "y"})
    length = int.from_bytes(content[:8], "little")
    moved = (length + 3).to_bytes(8, "little") + content[8 : 8 + length] + b"   " + content[8 + length :]
    (tmp_path / "file").write_bytes(moved)
    (array,) = mapped_arrays.read(tmp_path / "file").values()
    assert array.tolist() == [0, 1, 2, 3, 4]
    assert array.flags.aligned


def test_what_else_a_writer_says_of_an_array_is_passed_over(tmp_path: Path) -> None:
    header = b'{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2],"unit":"mm"},"__metadata__":{"a":"b"}}'
    (tmp_path / "file").write_bytes(len(header).to_bytes(8, "little") + header + b"\x05\x06")
    assert {name: value.tolist() for name, value in mapped_arrays.read(tmp_path / "file").items()} == {
        "a": [5, 6]
    }


@pytest.mark.parametrize("cut", [0, 4, 20, -1])
def test_what_is_cut_off_is_refused(tmp_path: Path, cut: int) -> None:
    mapped_arrays.write(tmp_path / "file", {"a": np.arange(5)})
    (tmp_path / "file").write_bytes((tmp_path / "file").read_bytes()[:cut])
    with pytest.raises(SafetensorError):
        mapped_arrays.read(tmp_path / "file")


def test_a_type_that_numpy_does_not_have_is_refused(tmp_path: Path) -> None:
    header = b'{"a":{"dtype":"BF16","shape":[1],"data_offsets":[0,2]}}'
    (tmp_path / "file").write_bytes(len(header).to_bytes(8, "little") + header + b"00")
    with pytest.raises(ValueError, match="BF16"):
        mapped_arrays.read(tmp_path / "file")


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("name", some())
def test_pieces_are_the_whole_in_order(name: str) -> None:
    array = some()[name]
    parts = list(mapped_arrays.pieces(array))
    assert all(part.nbytes <= 1000 for part in parts)
    little = array.astype(array.dtype.newbyteorder("<"))
    assert b"".join(part.tobytes() for part in parts) == little.tobytes()


def resident() -> int:
    """Bytes of mapped files that this process has in memory."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith("RssFile:"))


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="measures with Linux's own figures")
class TestLettingGo:
    @pytest.fixture
    def mapped(self, tmp_path: Path) -> NDArray[Any]:
        values = np.arange(8 * MIB).reshape(-1, 1024)
        mapped_arrays.write(tmp_path / "file", {"values": values})
        return mapped_arrays.read(tmp_path / "file")["values"]

    def test_gives_memory_back_and_loses_nothing(self, mapped: NDArray[Any]) -> None:
        before = resident()
        total = int(mapped.sum())
        assert resident() - before > 48 * MIB  # of 64, which were looked at
        mapped_arrays.release([mapped[10:20], mapped])
        assert resident() - before < 16 * MIB
        assert int(mapped.sum()) == total == 8 * MIB * (8 * MIB - 1) // 2

    def test_is_part_of_walking_through_pieces(self, mapped: NDArray[Any]) -> None:
        before = resident()
        most = max(resident() for piece in mapped_arrays.pieces(mapped) if piece.sum())
        assert most - before < 48 * MIB  # of 64; a piece has 16

    def test_leaves_what_somebody_else_has_mapped_alone(self) -> None:
        # A private mapping, of which the kernel would throw away what was written.
        private = mmap.mmap(-1, mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        array = np.frombuffer(private, np.uint8)
        array[:] = 5
        mapped_arrays.release([array])
        assert array.sum() == 5 * mmap.PAGESIZE

    def test_goes_over_all_of_a_federation(self, home: Path, federation: Federation) -> None:
        save(federation, federations_folder(home) / federation.name)
        loaded = load(federations_folder(home) / federation.name)
        files = [str(file.resolve()) for file in home.rglob("*.safetensors")]
        assert in_memory(files) == 0
        for array in every(loaded):
            array.sum()
        assert in_memory(files) >= sum(Path(file).stat().st_size for file in files)
        loaded.release_memory()
        assert in_memory(files) == 0


def every(federation: Federation) -> list[NDArray[Any]]:
    """Written out by hand, so that one that is forgotten shows."""
    weights = [value for participant in federation.participants for value in participant.weights.values()]
    private = [participant.private for participant in federation.participants]
    data = [federation.data.images, federation.data.labels, federation.logits, federation.public]
    return [*weights, *private, *data, *federation.splits.values()]


def in_memory(files: list[str]) -> int:
    """Bytes of these files that this process has in memory, and has not let go of."""
    total, counts = 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        first = line.split(maxsplit=1)[0]
        if not first.endswith(":"):
            counts = line.endswith(tuple(files))
        elif counts and first == "Rss:":
            total += 1024 * int(line.split()[1])
    return total
