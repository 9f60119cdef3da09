"""Small files that announce any size, and what is no file: refused, or read within a bound of memory."""

from __future__ import annotations

import os
import struct
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from hypothesis import strategies as st
from PIL import Image

from autokd.config.images import ImageShape
from autokd.config.sources import FolderSource, NpzSource, ParquetSource
from autokd.config.yaml_files import read_study_config
from autokd.data.sources import read
from autokd.models.checkpoint import read_checkpoint
from tests.data.sources.bombs import deflated, npy_header, png, resident
from tests.fuzz.harness import Target

MOST_GROWN = 500
"""MB."""
_Write = Callable[[Path], None]
_Case = tuple[str, _Write]
_sizes = st.integers(0, 40).map(lambda bits: 2**bits)
_readers: dict[str, Callable[[Path], Any]] = {
    "pt": read_checkpoint,
    "safetensors": read_checkpoint,
    "yaml": lambda file: read_study_config(str(file)),
    "npz": lambda file: read(NpzSource(kind="npz", path=file.name), file.parent, ImageShape()),
    "parquet": lambda file: read(ParquetSource(kind="parquet", path=file.name), file.parent, ImageShape()),
    "png": lambda file: read(FolderSource(kind="folder", path="."), file.parents[1], ImageShape()),
}


@st.composite
def _expanded(draw: st.DrawFn) -> _Case:
    side, often, sparse = draw(_sizes), draw(st.integers(1, 50)), draw(st.booleans())

    def write(file: Path) -> None:
        value = torch.ones(1)
        tensor = value.expand(side)
        if sparse:
            where = torch.zeros(1, 1, dtype=torch.long)
            tensor = torch.sparse_coo_tensor(where, value, (side,), check_invariants=True)
        torch.save({str(number): tensor for number in range(often)}, file)

    return "pt", write


@st.composite
def _archive(draw: st.DrawFn) -> _Case:
    shape = tuple(draw(st.lists(_sizes, min_size=1, max_size=4)))
    announced, suffix = draw(st.integers(0, 2**32 - 1)), draw(st.sampled_from(["npz", "pt"]))
    labels = draw(st.booleans())
    parts = {"images.npy": npy_header(shape, draw(st.sampled_from(["|u1", "<f8", "<U9"])))}
    return suffix, lambda file: void(deflated(file, parts, labels=labels, announced=announced))


@st.composite
def _table(draw: st.DrawFn) -> _Case:
    rows, side = draw(st.integers(1, 200_000)), draw(st.sampled_from([1, 8, 500, 2000]))

    def write(file: Path) -> None:
        picture = png(Image.new("L", (side, side)))
        images = pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), pa.array([picture]))
        pq.write_table(pa.table({"image": images, "label": pa.array(np.zeros(rows, np.int64))}), file)

    return "parquet", write


@st.composite
def _image(draw: st.DrawFn) -> _Case:
    width, height = draw(st.integers(0, 2**20)), draw(st.integers(0, 2**20))

    def write(file: Path) -> None:
        begin = png(Image.new("L", (1, 1)))
        chunk = b"IHDR" + struct.pack(">II", width, height) + begin[24:29]
        file.write_bytes(begin[:12] + chunk + struct.pack(">I", zlib.crc32(chunk)) + begin[33:])

    return "png", write


@st.composite
def _no_file(draw: st.DrawFn) -> _Case:
    suffix = draw(st.sampled_from(sorted(_readers)))
    return suffix, draw(st.sampled_from([_pipe, _device, _gaps]))


def _pipe(file: Path) -> None:
    os.mkfifo(file)


def _device(file: Path) -> None:
    file.symlink_to("/dev/zero")


def _gaps(file: Path) -> None:
    file.touch()
    os.truncate(file, 2**33)


def void(value: object) -> None:
    """Return nothing."""


def _read(case: _Case) -> None:
    suffix, write = case
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "set", f"bomb.{suffix}")
        file.parent.mkdir()
        write(file)
        before = resident(reset=True)
        try:
            _readers[suffix](file)
        finally:
            grown = resident() - before
            assert grown < MOST_GROWN, f"{grown} MB"


TARGETS = (Target("file that unfolds", _expanded() | _archive() | _table() | _image() | _no_file(), _read),)
