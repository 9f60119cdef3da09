"""Whole sets of images as they lie on disks: folders of any layout, shards, and names of classes."""

from __future__ import annotations

import io
import json
import tempfile
import unicodedata
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import strategies as st
from PIL import Image
from torchvision import datasets

from autokd.config.images import ImageShape
from autokd.config.sources import FolderSource, ParquetSource
from autokd.core.class_names import alike, class_name, class_names
from autokd.data.sources import read
from autokd.errors import PlanError
from tests.fuzz.harness import Target
from tests.fuzz.odd import damaged, edited, values

_PARTS = [
    "ant",
    "bee",
    "Ka\u0308fer",
    "K\u00e4fer",
    "images",
    "train",
    "val",
    "0",
    "10",
    "9",
    ".hidden",
    "__MACOSX",
]
_FILES = ["1.png", "2.PNG", "10.png", "._1.png", ".DS_Store", "a.JPEG", "notes.txt", "Thumbs.db", "x.gif"]
_layouts = st.lists(
    st.tuples(st.lists(st.sampled_from(_PARTS), max_size=3), st.sampled_from(_FILES)),
    max_size=8,
    unique_by=str,
)


@cache
def _png(grey: int) -> bytes:
    content = io.BytesIO()
    Image.new("RGB", (4, 4), (grey, grey, grey)).save(content, format="PNG")
    return content.getvalue()


def _folder(layout: list[tuple[list[str], str]]) -> None:
    """Read as torchvision's `ImageFolder` reads what is not hidden; public images are read all."""
    with tempfile.TemporaryDirectory() as place:
        base = Path(place)
        (base / "set").mkdir()
        for grey, (parts, name) in enumerate(layout):
            folder = base.joinpath("set", *parts)
            folder.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(_png(grey))
        source = FolderSource(kind="folder", path="set")
        images = read(source, base, ImageShape())
        public = read(source, base, ImageShape(), labels_needed=False)
        assert len(public.images) >= len(images.images)
        plain = datasets.ImageFolder(str(base / "set"), is_valid_file=_readable, allow_empty=True)
        by_name = [(image.getpixel((0, 0))[0], plain.classes[label]) for image, label in plain]
        names = [unicodedata.normalize("NFC", name) for _, name in by_name]
        assert images.images[:, 0, 0, 0].tolist() == [grey for grey, _ in by_name]
        assert [images.classes[label] for label in images.labels] == names


def _readable(file: str) -> bool:
    below = Path(file).parts[Path(file).parts.index("set") :]
    hidden = any(part[0] == "." or part == "__MACOSX" for part in below)
    return not hidden and file.lower().endswith((".png", ".jpeg", ".gif"))


_SHARDS = ("train-00000-of-00002.parquet", "train-00001-of-00002.parquet")


@cache
def _saved() -> Mapping[str, bytes]:
    """A folder of shards, and one of `save_to_disk`, in one."""
    files: dict[str, bytes] = {}
    for number, name in enumerate(_SHARDS):
        rows = pa.table(
            {
                "image": [{"bytes": _png(2 * number + offset), "path": None} for offset in (0, 1)],
                "label": [0, 1],
            }
        )
        out = io.BytesIO()
        pq.write_table(rows, out)
        files[name] = out.getvalue()
        stream = io.BytesIO()
        with pa.ipc.new_stream(stream, rows.schema) as writer:
            writer.write_table(rows)
        files[f"saved/data-{number}.arrow"] = stream.getvalue()
    state = {"_data_files": [{"filename": f"data-{number}.arrow"} for number in (0, 1)], "_split": "train"}
    files["saved/state.json"] = json.dumps(state).encode()
    return files


@st.composite
def _odd_sets(draw: st.DrawFn) -> tuple[str, Mapping[str, bytes]]:
    files = dict(_saved())
    name = draw(st.sampled_from(sorted(files)))
    match draw(st.sampled_from(["damaged", "gone", "renamed", "state", "whole"])):
        case "damaged":
            files[name] = draw(damaged(files[name]))
        case "gone":
            del files[name]
        case "renamed":
            files[draw(st.sampled_from(["test.parquet", "b/x.parquet", "saved/y.arrow"]))] = files.pop(name)
        case "state":
            state = draw(edited(json.loads(files["saved/state.json"])))
            files["saved/state.json"] = json.dumps(state).encode()
    return draw(
        st.sampled_from(["set", "set/saved", "set/*.parquet", "set/**/*.parquet", "set/[", "*"])
    ), files


def _set(saved: tuple[str, Mapping[str, bytes]]) -> None:
    path, files = saved
    with tempfile.TemporaryDirectory() as place:
        for name, content in files.items():
            file = Path(place) / "set" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        images = read(ParquetSource(kind="parquet", path=path), Path(place), ImageShape())
        assert len(images.images) == len(images.labels)
        if files == _saved():
            assert images.images[:, 0, 0, 0].tolist() == [0, 1, 2, 3]
            assert images.labels.tolist() == [0, 1, 0, 1]


_spelt = st.sampled_from(
    ["Ka\u0308fer", "K\u00e4fer", "0 - zero", "0", 0, 1, "1", np.int64(2), ("a", "b"), "K\udce4"]
)


def _names(written: list[Any]) -> None:
    try:
        names = class_names(written)
    except ValueError as error:
        raise PlanError(source="classes", problem=str(error)) from error
    assert len(set(names)) == len(names) == len(written)
    assert all(class_name(name) == name for name in names)
    assert alike(names, names) == []


TARGETS = (
    Target("folder of images", _layouts, _folder),
    Target("set of shards", st.deferred(_odd_sets), _set),
    Target("class names", st.lists(_spelt | values, max_size=6), _names),
)
