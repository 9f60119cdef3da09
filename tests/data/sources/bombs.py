"""Small files that would take any amount of memory, and what is no file; and what reading each of them takes.

    python -m tests.data.sources.bombs FOLDER

makes them in an empty folder, reads each, and prints for each its message and how much memory grew, in MB.
"""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
import yaml
from PIL import Image

from autokd.config.images import ImageShape
from autokd.config.sources import FolderSource, NpzSource, ParquetSource
from autokd.config.yaml_files import read_study_config
from autokd.data.sources import read
from autokd.errors import PlanError
from autokd.models.checkpoint import read_checkpoint

Case = tuple[str, Callable[[], Any]]
LARGE = 3 * 10**9
"""Bytes that a bomb unfolds to, about."""


def main(folder: Path) -> None:
    results = {}
    for name, reading in cases(folder):
        before = resident(reset=True)
        try:
            reading()
            message = "NOT REFUSED"
        except PlanError as error:
            message = str(error)
        results[name] = {"message": message, "grown": resident() - before}
    json.dump(results, sys.stdout)


def cases(folder: Path) -> Iterator[Case]:
    """Yield each bomb by name, with what reads it."""
    yield from _checkpoints(folder)
    yield from _archives(folder)
    yield from _tables(folder)
    yield from _images(folder)
    yield from _no_files(folder)
    recipe = read_study_config("digits").model_dump(mode="json")
    recipe["confirmation"]["resamples"] = 2_000_000_000
    (folder / "resamples.yaml").write_text(yaml.safe_dump(recipe))
    yield "resamples", lambda: read_study_config(str(folder / "resamples.yaml"))


def _checkpoints(folder: Path) -> Iterator[Case]:
    value, side = torch.ones(1), 10**5
    coo = torch.sparse_coo_tensor(torch.zeros(2, 1, dtype=torch.long), value, (side, side))
    nested: dict[str, Any] = {"weight": value}
    for _ in range(4):
        nested = {str(number): nested for number in range(100)}
    contents = {
        "expanded": {"weight": value.expand(side, side)},
        "expanded a little, often": {str(number): value.expand(2**20) for number in range(1000)},
        "sparse": {"weight": coo},
        "sparse rows": {"weight": coo.to_sparse_csr()},
        "in a list": [value.expand(side, side)],
        "nested": nested,
    }
    for name, content in contents.items():
        file = folder / f"{name}.pt"
        torch.save(content, file)
        yield f"checkpoint, {name}", lambda file=file: read_checkpoint(file)  # type: ignore[misc]
    made = folder / "array.pkl"
    # What NumPy calls to make an array of a shape, before it gets its content.
    made.write_bytes(b"\x80\x02}X\x01\x00\x00\x00wcnumpy\nndarray\nM\xff\xffM\xff\xff\x86\x85Rs.")
    yield "checkpoint, an array of a shape", lambda: read_checkpoint(made)
    memo = folder / "memo.pkl"
    memo.write_bytes(pickle.PROTO + b"\x02" + pickle.EMPTY_DICT + b"r" + struct.pack("<I", 2**28) + b".")
    yield "checkpoint, memo", lambda: read_checkpoint(memo)
    gaps = folder / "gaps.safetensors"
    header = json.dumps({"w": {"dtype": "F32", "shape": [LARGE // 4], "data_offsets": [0, LARGE]}}).encode()
    gaps.write_bytes(len(header).to_bytes(8, "little") + header)
    os.truncate(gaps, 8 + len(header) + LARGE)
    yield "checkpoint, gaps", lambda: read_checkpoint(gaps)
    packed = deflated(folder / "packed.pt", {"a/data.pkl": b"", "a/data/0": b""})
    yield "checkpoint, deflated", lambda: read_checkpoint(packed)
    arrays = deflated(folder / "weights.npz", {"w.npy": npy_header((LARGE,), "|u1")})
    yield "checkpoint, deflated arrays", lambda: read_checkpoint(arrays)


def _archives(folder: Path) -> Iterator[Case]:
    source = NpzSource(kind="npz", path="images.npz")
    shape = (LARGE // 3072, 32, 32, 3)
    deflated(folder / "images.npz", {"images.npy": npy_header(shape, "|u1"), "labels.npy": b""})
    yield "npz, images", lambda: read(source, folder, ImageShape())
    deflated(folder / "labels.npz", {"labels.npy": npy_header((LARGE // 8,), "<i8")}, images=True)
    yield "npz, labels", lambda: read(NpzSource(kind="npz", path="labels.npz"), folder, ImageShape())
    header = npy_header((1,), f"<U{LARGE // 4}")
    deflated(folder / "classes.npz", {"classes.npy": header}, images=True, labels=True)
    yield "npz, classes", lambda: read(NpzSource(kind="npz", path="classes.npz"), folder, ImageShape())
    with zipfile.ZipFile(folder / "shape.npz", "w") as archive:
        archive.writestr("images.npy", npy_header((LARGE,), "|u1"))
        archive.writestr("labels.npy", npy_header((LARGE,), "<i8"))
    yield "npz, shape", lambda: read(NpzSource(kind="npz", path="shape.npz"), folder, ImageShape())


def _tables(folder: Path) -> Iterator[Case]:
    noise = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    picture = png(Image.fromarray(noise))
    zeros = bytes(2**20)

    def table(name: str, images: pa.Array, labels: pa.Array, **options: Any) -> Case:
        pq.write_table(pa.table({"image": images, "label": labels}), folder / name, **options)
        return f"table, {name}", lambda: read(ParquetSource(kind="parquet", path=name), folder, ImageShape())

    def same(value: Any, count: int) -> pa.Array:
        return pa.DictionaryArray.from_arrays(pa.array(np.zeros(count, np.int32)), pa.array([value]))

    few, many = 9000, 5 * 10**6
    yield table("same.parquet", same(picture, few), pa.array(np.zeros(few, np.int64)))
    yield table("rows.parquet", same(picture, many), pa.array(np.zeros(many, np.int64)))
    yield table("labels.parquet", same(picture, few), same("a" * 2**20, few))
    plain = {"use_dictionary": False, "compression": "gzip"}
    yield table("deflated.parquet", pa.array([zeros] * 300), pa.array([0] * 300), **plain)
    batch = pa.table({"image": pa.array([zeros] * 600), "label": pa.array([0] * 600)}).combine_chunks()
    with (folder / "packed.arrow").open("wb") as file:
        options = pa.ipc.IpcWriteOptions(compression="zstd")
        with pa.ipc.new_stream(file, batch.schema, options=options) as stream:
            stream.write_table(batch)
    del batch
    yield (
        "table, arrow",
        lambda: read(ParquetSource(kind="parquet", path="packed.arrow"), folder, ImageShape()),
    )


def _images(folder: Path) -> Iterator[Case]:
    def of(name: str, content: bytes, count: int) -> Case:
        for number in range(count):
            file = folder / name / "a" / f"{number}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        return f"images, {name}", lambda: read(FolderSource(kind="folder", path=name), folder, ImageShape())

    yield of("many", png(Image.new("1", (4000, 4000))), 100)
    begin = png(Image.new("L", (1, 1)))
    chunk = b"IHDR" + struct.pack(">II", 50_000, 50_000) + begin[24:29]
    header = begin[:12] + chunk + struct.pack(">I", zlib.crc32(chunk)) + begin[33:]
    yield of("large", header, 1)
    (folder / "gaps/a").mkdir(parents=True)
    (folder / "gaps/a/0.png").write_bytes(begin)
    os.truncate(folder / "gaps/a/0.png", LARGE)
    yield "images, gaps", lambda: read(FolderSource(kind="folder", path="gaps"), folder, ImageShape())


def _no_files(folder: Path) -> Iterator[Case]:
    readers: dict[str, Callable[[str], Any]] = {
        "yaml": lambda name: read_study_config(str(folder / name)),
        "pt": lambda name: read_checkpoint(folder / name),
        "safetensors": lambda name: read_checkpoint(folder / name),
        "npz": lambda name: read(NpzSource(kind="npz", path=name), folder, ImageShape()),
        "parquet": lambda name: read(ParquetSource(kind="parquet", path=name), folder, ImageShape()),
        "arrow": lambda name: read(ParquetSource(kind="parquet", path=name), folder, ImageShape()),
        "txt": lambda name: read(NpzSource(kind="npz", path="good.npz", indices=name), folder, ImageShape()),
    }
    np.savez(folder / "good.npz", images=np.zeros((2, 8, 8), np.uint8), labels=np.zeros(2, np.int64))
    for suffix, reader in readers.items():
        os.mkfifo(folder / f"pipe.{suffix}")
        (folder / f"device.{suffix}").symlink_to("/dev/zero")
        for name in (f"pipe.{suffix}", f"device.{suffix}"):
            yield name, lambda name=name, reader=reader: reader(name)  # type: ignore[misc]
    for name in ("pipe", "device"):
        (folder / name / "a").mkdir(parents=True)
    os.mkfifo(folder / "pipe/a/0.png")
    (folder / "device/a/0.png").symlink_to("/dev/zero")
    for name in ("pipe", "device"):
        source = FolderSource(kind="folder", path=name)
        yield f"{name}.png", lambda source=source: read(source, folder, ImageShape())  # type: ignore[misc]


def deflated(
    file: Path,
    begins: dict[str, bytes],
    *,
    images: bool = False,
    labels: bool = False,
    announced: int = LARGE,
) -> Path:
    """Write an archive whose first part says how much it unfolds to; the checksum is never looked at."""
    small = io.BytesIO()
    with zipfile.ZipFile(small, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in begins.items():
            archive.writestr(name, content or b"\x80\x02}.")
        if images:
            archive.writestr("images.npy", _npy((2, 8, 8), "|u1"))
        if labels:
            archive.writestr("labels.npy", _npy((2,), "<i8"))
    content = small.getvalue()
    place = content.index(b"PK\x01\x02") + 24
    file.write_bytes(content[:place] + announced.to_bytes(4, "little") + content[place + 4 :])
    return file


def npy_header(shape: tuple[int, ...], dtype: str) -> bytes:
    """Return what a file of an array of this shape and type begins with."""
    begin = io.BytesIO()
    form = {"shape": shape, "fortran_order": False, "descr": dtype}
    np.lib.format.write_array_header_1_0(begin, form)
    return begin.getvalue()


def _npy(shape: tuple[int, ...], dtype: str) -> bytes:
    return npy_header(shape, dtype) + np.zeros(shape, dtype).tobytes()


def png(image: Image.Image) -> bytes:
    """Return an image as a file."""
    content = io.BytesIO()
    image.save(content, format="PNG")
    return content.getvalue()


def resident(*, reset: bool = False) -> int:
    """Return the resident memory of this process in MB; the most since it was last reset."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    name = "VmRSS:" if reset else "VmHWM:"
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) // 1000 for line in lines if line.startswith(name))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
