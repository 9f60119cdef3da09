"""Labels, names and depths of archives and data sets of code: as they are meant, or refused, never cut."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import ExifTags, Image
from torch.utils.data import Subset

from autokd.config.images import ImageShape
from autokd.config.sources import NpzSource, Source
from autokd.data.sources import read
from autokd.data.sources.factory import read_dataset
from autokd.data.sources.labelled_images import LabelledImages
from autokd.errors import PlanError

IMAGES = np.random.default_rng(0).integers(0, 256, size=(4, 6, 6), dtype=np.uint8)
LABELS = [0, 2, 1, 2]
ABC = ("ant", "bee", "cat")


def archive(
    folder: Path, labels_needed: bool = True, bits: int | None = None, **arrays: Any
) -> LabelledImages:
    arrays_written: dict[str, Any] = {"images": IMAGES} | arrays
    np.savez(folder / "own.npz", **arrays_written)
    source = NpzSource(kind="npz", path="own.npz", bits=bits)
    return read(source, folder, ImageShape(), labels_needed=labels_needed)


class Own:
    """A data set of code; `classes` and the like are set by a test."""

    def __init__(self, examples: list[Any], **attributes: Any) -> None:
        self.examples = examples
        vars(self).update(attributes)

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, number: int) -> Any:
        return self.examples[number]


def dataset(
    examples: Any, labels_needed: bool = True, bits: int | None = None, **more: Any
) -> LabelledImages:
    made = examples if hasattr(examples, "dataset") else Own(list(examples), **more)
    return read_dataset(
        made, Source(bits=bits), Path(), ImageShape(), name="mine:Own", labels_needed=labels_needed
    )


def pairs(labels: list[Any] = LABELS) -> Iterator[tuple[Image.Image, Any]]:
    return zip(map(Image.fromarray, IMAGES), labels, strict=True)


class Feature:
    names = ABC


@pytest.mark.parametrize(
    "attributes",
    [
        {"classes": list(ABC)},
        {"classes": np.array(ABC)},
        {"classes": [("ant", "Formicidae"), ("bee",), ("cat", "Felis")]},
        {"classes": {"ant": 0, "cat": 2, "bee": 1}},
        {"classes": {0: "ant", 1: "bee", 2: "cat"}},
        {"class_to_idx": {"cat": 2, "ant": 0, "bee": 1}},
        {"features": {"label": Feature()}},
        {"classes": (name for name in ABC)},
    ],
)
def test_a_data_set_may_name_its_classes_in_many_ways(attributes: dict[str, Any]) -> None:
    images = dataset(pairs(), **attributes)
    assert (images.classes, images.labels.tolist(), images.named) == (ABC, LABELS, True)


@pytest.mark.parametrize(
    "labels",
    [
        [0, 2, 1, 2],
        np.array(LABELS, dtype=np.uint8),
        torch.tensor(LABELS),
        [torch.tensor([label]) for label in LABELS],
        [0.0, 2.0, 1.0, 2.0],
        np.array(LABELS, dtype=np.float32),
        [np.int64(label) for label in LABELS],
        [False, 2, True, 2],
    ],
)
def test_labels_are_whole_numbers_of_any_type(labels: Any) -> None:
    images = dataset(pairs(list(labels)))
    assert (images.labels.tolist(), images.classes, images.named) == (LABELS, ("0", "1", "2"), False)


@pytest.mark.parametrize(
    "labels", [[0.5] * 4, [" "] * 4, [[0, 1]] * 4, [None] * 4, [float("nan")] * 4, [-1] * 4]
)
def test_labels_that_are_none_are_refused_or_public(labels: list[Any]) -> None:
    with pytest.raises(PlanError, match="mine:Own") as refused:
        dataset(pairs(labels))
    assert "label" in str(refused.value)
    assert np.array_equal(dataset(pairs(labels), labels_needed=False).images[:, 0], IMAGES)


@pytest.mark.parametrize(
    "examples",
    [
        list(map(Image.fromarray, IMAGES)),
        [(image,) for image in IMAGES],
        [(image, None) for image in IMAGES],
        list(torch.from_numpy(IMAGES[:, None])),
        [{"image": image} for image in IMAGES],
        [{"img": image, "label": -1} for image in IMAGES],
    ],
)
def test_public_examples_need_no_labels(examples: list[Any]) -> None:
    assert np.array_equal(dataset(examples, labels_needed=False).images[:, 0], IMAGES)
    with pytest.raises(PlanError, match="mine:Own"):
        dataset(examples)


def test_examples_may_be_mappings() -> None:
    images = dataset([{"image": image, "label": label} for image, label in pairs()])
    assert images.labels.tolist() == LABELS
    assert np.array_equal(images.images[:, 0], IMAGES)
    doubtful = [{"image": image, "label": label, "fine_label": 7} for image, label in pairs()]
    with pytest.raises(PlanError, match="several are labels"):
        dataset(doubtful)


def test_a_part_of_a_data_set_has_its_classes() -> None:
    images = dataset(Subset(Own(list(pairs()), classes=list(ABC)), [1, 3]))  # type: ignore[arg-type]
    assert (images.classes, images.labels.tolist()) == (ABC, [2, 2])


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        ({"classes": ["ant", "bee", "ant"]}, ("'ant' twice", "say classes")),
        ({"classes": "abc"}, ("no list of names",)),
        ({"classes": 3}, ("no list of names",)),
        ({"classes": {"ant": 0, "bee": 2}}, ("no list of names",)),
        ({"classes": [None, "a", "b"]}, ("nothing (null) is no class name",)),
        ({"classes": [("crane",), ("crane",), "x"]}, ("'crane' twice",)),
    ],
)
def test_names_in_doubt_are_refused_in_a_line(attributes: dict[str, Any], words: tuple[str, ...]) -> None:
    with pytest.raises(PlanError) as refused:
        dataset(pairs(), **attributes)
    assert str(refused.value).startswith("mine:Own: classes: ")
    for word in words:
        assert word in str(refused.value)


def test_code_has_decoded_its_images_itself() -> None:
    """A photo that it left as it was stored is not turned."""
    image = Image.fromarray(IMAGES[0])
    image.getexif()[ExifTags.Base.Orientation] = 6
    assert np.array_equal(dataset([(image, 0)]).images[0, 0], IMAGES[0])


@pytest.mark.parametrize("kind", [np.uint16, np.int32, np.float64])
def test_deep_arrays_are_shares_of_white(tmp_path: Path, kind: Any) -> None:
    deep = (IMAGES.astype(np.int64) * 16).astype(kind)
    expected = (deep / 4095).astype(np.float32)
    assert np.array_equal(archive(tmp_path, images=deep, labels=LABELS, bits=12).images[:, 0], expected)
    assert np.array_equal(dataset(zip(deep, LABELS, strict=True), bits=12).images[:, 0], expected)
    with pytest.raises(PlanError, match=r"own\.npz: images: .*bits: 10"):
        archive(tmp_path, images=deep, labels=LABELS, bits=10)
    if kind != np.float64:
        with pytest.raises(PlanError, match=r"own\.npz: images: .*bits: 12"):
            archive(tmp_path, images=deep, labels=LABELS)


def test_deep_images_of_code_are_scaled_once() -> None:
    deep = IMAGES.astype(np.uint16) * 16
    images = dataset(zip(map(Image.fromarray, deep), LABELS, strict=True), bits=12)
    assert np.array_equal(images.images[:, 0], (deep / 4095).astype(np.float32))


@pytest.mark.parametrize("labels", [{}, {"labels": [-1] * 4}, {"labels": [0.5] * 4}, {"labels": [" "] * 4}])
def test_a_public_archive_needs_no_labels(tmp_path: Path, labels: dict[str, Any]) -> None:
    assert np.array_equal(archive(tmp_path, labels_needed=False, **labels).images[:, 0], IMAGES)
    with pytest.raises(PlanError, match=r"own\.npz: labels: "):
        archive(tmp_path, **labels)


NAMED = ["cat", "ant", "cat", "bee"]


@pytest.mark.parametrize("kind", ["archive", "archive in bytes", "code", "code with classes"])
def test_labels_may_be_names_as_in_a_table(tmp_path: Path, kind: str) -> None:
    if kind == "code":
        images = dataset(pairs(NAMED))
    elif kind == "code with classes":
        images = dataset(pairs(NAMED), classes=["bee", "cat", "ant"])
    else:
        images = archive(tmp_path, labels=np.array(NAMED, dtype="U" if kind == "archive" else "S"))
    assert [images.classes[label] for label in images.labels] == NAMED
    assert images.named
    assert images.classes == (("bee", "cat", "ant") if kind == "code with classes" else ("ant", "bee", "cat"))


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (np.eye(4), "argmax(axis=1)"),
        (np.eye(4, dtype=np.int64), "argmax(axis=1)"),
        (np.array([0, 1.5, 2, 0]), "example 1 has 1.5, and labels are never rounded"),
        (np.array([0, np.nan, 2, 0]), "example 1 has nan"),
        (np.array([True, False, True, True]), "save 0 and 1"),
        (np.array([0, 1, 2, 0], dtype=complex), "the number of each class"),
        (np.array(["a", "b", "a", " "]), "not empty"),
        (np.array([0, 1, 2, 0], dtype="datetime64[s]"), "the number of each class"),
    ],
)
def test_what_is_no_label_is_refused_with_a_way_out(tmp_path: Path, labels: Any, words: str) -> None:
    with pytest.raises(PlanError) as caught:
        archive(tmp_path, labels=labels)
    assert words in str(caught.value)
    assert "own.npz: labels: " in str(caught.value)


def test_names_and_numbers_among_labels_are_refused() -> None:
    with pytest.raises(PlanError, match="some are names, others numbers"):
        dataset(pairs(["cat", 1, "cat", "bee"]))


@pytest.mark.parametrize("classes", [["ant", "bee", "cat"], [b"ant", b"bee", b"cat"]])
def test_names_of_an_archive(tmp_path: Path, classes: list[Any]) -> None:
    assert archive(tmp_path, labels=LABELS, classes=np.array(classes)).classes == ABC
    assert archive(tmp_path, labels=LABELS, classes=np.array([7, 8, 9])).classes == ("7", "8", "9")
    with pytest.raises(PlanError, match=r"own\.npz: classes: class 'ant' twice"):
        archive(tmp_path, labels=LABELS, classes=np.array(["ant", "ant", "cat"]))
