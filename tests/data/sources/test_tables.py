"""Data sets of Hugging Face, as they lie on disks: shards, folders, patterns, lists, `save_to_disk`."""

from __future__ import annotations

import io
import json
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import ExifTags, Image
from pydantic import TypeAdapter

from autokd.config.images import ImageShape
from autokd.config.sources import AnySource
from autokd.data.sources import read
from autokd.data.sources.labelled_images import LabelledImages
from autokd.errors import PlanError

CLASSES = ["ant", "bee", "cat"]
STRUCT = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def get(folder: Path, labels_needed: bool = True, **fields: Any) -> LabelledImages:
    source: AnySource = TypeAdapter(AnySource).validate_python({"kind": "parquet", "path": "set"} | fields)
    return read(source, folder, ImageShape(), labels_needed=labels_needed)


def png(grey: int, orientation: int = 1) -> dict[str, Any]:
    content = io.BytesIO()
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    image = Image.new("L", (4, 4), grey)
    image.putpixel((0, 0), 255)
    image.save(content, format="PNG", exif=exif)
    return {"bytes": content.getvalue(), "path": None}


def table(
    greys: list[int],
    labels: list[Any] | None = None,
    *,
    image: str = "image",
    label: str = "label",
    has_metadata: bool = True,
    names: list[str] = CLASSES,
    **more: Any,
) -> pa.Table:
    columns: dict[str, Any] = {image: pa.array([png(grey) for grey in greys], STRUCT)}
    columns |= {} if labels is None else {label: labels}
    made = pa.table(columns | more)
    features: dict[str, Any] = {image: {"_type": "Image"}, label: {"_type": "ClassLabel", "names": names}}
    metadata = {"huggingface": json.dumps({"info": {"features": features}})} if has_metadata else None
    return made.replace_schema_metadata(metadata)


def put(folder: Path, **parts: pa.Table) -> None:
    for name, part in parts.items():
        file = folder / "set" / name.replace("__", "/").replace("_of_", "-of-").replace("n0", "n-0")
        file.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(part, f"{file}.parquet")


def greys(images: LabelledImages) -> list[int]:
    inside: list[int] = images.images[:, 0, 1, 1].tolist()
    return inside


SHARDS = {"train00000_of_00002": table([1, 2], [0, 2]), "train00001_of_00002": table([3], [1])}


@pytest.mark.parametrize(
    "path",
    [
        "set",
        "set/train-*.parquet",
        "set/*",
        "*/train-0000?-of-00002.parquet",
        ["set/train-00000-of-00002.parquet", "set/train-00001-of-00002.parquet"],
        ["set"],
    ],
)
def test_shards_are_one_data_set(tmp_path: Path, path: Any) -> None:
    put(tmp_path, **SHARDS)
    (tmp_path / "set" / "README.md").write_text("about it")
    (tmp_path / "set" / ".cache.parquet").write_text("not theirs")
    if path == "set/*":
        (tmp_path / "set" / "README.md").unlink()
    images = get(tmp_path, path=path)
    assert (greys(images), images.labels.tolist(), images.classes) == ([1, 2, 3], [0, 2, 1], tuple(CLASSES))


def test_a_list_keeps_its_order(tmp_path: Path) -> None:
    put(tmp_path, **SHARDS)
    files = [f"set/train-0000{number}-of-00002.parquet" for number in (1, 0)]
    assert greys(get(tmp_path, path=files)) == [3, 1, 2]
    assert greys(get(tmp_path, path=files[:1])) == [3]


@pytest.mark.parametrize(
    ("columns", "fields"),
    [
        ({"image": "img"}, {}),
        ({"label": "labels"}, {}),
        ({"image": "img", "label": "y", "has_metadata": False}, {}),
        ({"image": "img", "fine": [7, 7, 7]}, {}),
        ({"label": "fine", "coarse": [7, 7, 7], "has_metadata": False}, {"label": "fine"}),
    ],
)
def test_columns_are_found_by_their_kind(tmp_path: Path, columns: Any, fields: Any) -> None:
    put(tmp_path, all=table([1, 2, 3], [0, 1, 2], **columns))
    images = get(tmp_path, **fields)
    assert (greys(images), images.labels.tolist()) == ([1, 2, 3], [0, 1, 2])


def save_to_disk(folder: Path, *parts: pa.Table, **state: Any) -> None:
    (folder / "set").mkdir()
    names = [f"data-{number:05}-of-{len(parts):05}.arrow" for number in range(len(parts))]
    for name, part in zip(names, parts, strict=True):
        with pa.OSFile(str(folder / "set" / name), "wb") as file, pa.ipc.new_stream(file, part.schema) as out:
            out.write_table(part)
    state_file = {"_data_files": [{"filename": name} for name in names], "_split": "train"} | state
    (folder / "set" / "state.json").write_text(json.dumps(state_file))
    (folder / "set" / "dataset_info.json").write_text("{}")


def test_what_save_to_disk_wrote(tmp_path: Path) -> None:
    save_to_disk(tmp_path, table([1, 2], [0, 2]), table([3], [1]))
    images = get(tmp_path)
    assert (greys(images), images.labels.tolist(), images.classes) == ([1, 2, 3], [0, 2, 1], tuple(CLASSES))


def test_words_as_labels_are_numbered_in_their_order(tmp_path: Path) -> None:
    put(tmp_path, all=table([1, 2, 3], ["cat", "ant", "cat"], has_metadata=False))
    assert get(tmp_path).classes == ("ant", "cat")
    images = get(tmp_path, classes=["cat", "dog", "ant"])
    assert [images.classes[label] for label in images.labels] == ["cat", "ant", "cat"]


def test_photos_are_turned_as_datasets_turns_them(tmp_path: Path) -> None:
    put(tmp_path, all=pa.table({"image": pa.array([png(1, 3)], STRUCT), "label": [0]}))
    assert get(tmp_path).images[0, 0, 3, 3] == 255
    assert get(tmp_path, orientation="stored").images[0, 0, 0, 0] == 255


@pytest.mark.parametrize("labels", [[Decimal(2), Decimal("0"), Decimal("1.00")], [[2], [0], [1]]])
def test_labels_may_be_decimals_or_lists_of_one(tmp_path: Path, labels: list[Any]) -> None:
    put(tmp_path, all=table([1, 2, 3], labels))
    assert get(tmp_path).labels.tolist() == [2, 0, 1]


def test_text_with_commas_is_no_table(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("image,label\nx.png,1\n")
    with pytest.raises(PlanError, match=r"no Parquet file.*read_csv\(file\)\.to_parquet"):
        get(tmp_path, path="a.csv")


@pytest.mark.parametrize("labels", [None, [-1, -1, -1], [None, 0, 1], [0, 1, 2], [0.5, 1, 2], [-1, 0, 1]])
def test_public_rows_need_no_labels(tmp_path: Path, labels: Any) -> None:
    put(tmp_path, all=table([1, 2, 3], labels))
    assert greys(get(tmp_path, labels_needed=False)) == [1, 2, 3]
    if labels != [0, 1, 2]:
        with pytest.raises(PlanError, match=r"label"):
            get(tmp_path)


def test_whole_numbers_may_be_written_as_others(tmp_path: Path) -> None:
    put(tmp_path, all=table([1, 2], [0.0, 2.0]))
    assert get(tmp_path).labels.tolist() == [0, 2]


@pytest.mark.parametrize(
    ("parts", "fields", "words"),
    [
        ({"train00000_of_00002": table([1], [0])}, {}, ("path", "lacks shard 1 of 2")),
        (
            {"train00000_of_00001": table([1], [0]), "test00000_of_00001": table([2], [0])},
            {},
            ("several splits (test, train)", "name one", "train-*.parquet"),
        ),
        (
            {"train__0": table([1], [0]), "validation__0": table([2], [0])},
            {},
            ("several splits (train, validation)",),
        ),
        ({"a": table([1], [0]), "b": table([2], [0], names=["x", "y"])}, {}, ("b.parquet", "other columns")),
        ({"a": table([1], [0]), "b": table([2], ["x"])}, {}, ("b.parquet", "other types")),
        ({"a": table([1], [0])}, {"path": "set/*.arrow"}, ("matches no file",)),
        ({"a": table([1], [0])}, {"path": ["set/a.parquet", "set/a.parquet"]}, ("named twice",)),
        (
            {"a": table([1], [0], label="y", more=[1], has_metadata=False)},
            {},
            ("label: is missing", "y or more"),
        ),
        ({"a": table([1], [0], names=["x", "x"])}, {}, ("classes", "'x' twice", "say classes")),
        ({"a": table([1], [3])}, {}, ("labels run from 3 to 3", "3 classes")),
        ({"a": table([1], [0])}, {"label": "labels"}, ("labels: is missing",)),
        ({"a": table([1, 2], [Decimal("0.5"), Decimal(1)])}, {}, ("example 0 has 0.5", "never rounded")),
        ({"a": table([1], [datetime(2024, 1, 1)])}, {}, ("holds timestamp[us], neither numbers nor names",)),
        ({"a": table([1], [[{"x": 1}]])}, {}, ("neither numbers nor names",)),
        (
            {"a": pa.table({"image": [[[1, 2], [3, 4]]], "label": [0]})},
            {},
            ("no bytes of an image", "values: tensor and inputs: image"),
        ),
        (
            {"a": pa.table({"image": [{"bytes": None, "path": "a.png"}], "label": [0]})},
            {},
            ("a path alone is not followed", "kind: folder"),
        ),
        ({}, {}, ("No such file",)),
    ],
)
def test_what_is_in_doubt_is_refused(
    tmp_path: Path, parts: dict[str, pa.Table], fields: dict[str, Any], words: tuple[str, ...]
) -> None:
    put(tmp_path, **parts)
    with pytest.raises(PlanError) as refused:
        get(tmp_path, **fields)
    for word in words:
        assert word in str(refused.value)


def test_several_parts_of_save_to_disk_and_selections_are_refused(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    with pytest.raises(PlanError, match="neither Parquet files nor"):
        get(tmp_path)
    (tmp_path / "set" / "dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    with pytest.raises(PlanError, match=r"several splits \(train, test\); name the folder of one"):
        get(tmp_path)
    (tmp_path / "set" / "dataset_dict.json").unlink()
    (tmp_path / "set").rmdir()
    save_to_disk(tmp_path, table([1], [0]), _indices_data_files=[{"filename": "indices.arrow"}])
    with pytest.raises(PlanError, match="selection of rows"):
        get(tmp_path)
    (tmp_path / "set" / "state.json").write_text('{"_data_files": [{"filename": "../../x"}]}')
    with pytest.raises(PlanError, match="names no files of its folder"):
        get(tmp_path)


def test_the_mode_of_the_feature_is_kept(tmp_path: Path) -> None:
    made = table([1], [0])
    features = {"image": {"_type": "Image", "mode": "RGB"}}
    made = made.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    put(tmp_path, all=made)
    assert get(tmp_path).images.shape == (1, 3, 4, 4)
    assert np.unique(get(tmp_path).images[0, :, 1, 1]).tolist() == [1]
