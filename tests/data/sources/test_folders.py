"""Folders as they come: nested, with a system's files in them, without labels, with names of any spelling."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydantic import TypeAdapter
from torchvision import datasets

from autokd.config.images import ImageShape
from autokd.config.sources import AnySource
from autokd.data.sources import read
from autokd.data.sources.labelled_images import LabelledImages
from autokd.errors import PlanError

CLASSES = ("ant", "bee", "cat")
JUNK = b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X        "


def get(folder: Path, labels_needed: bool = True, **fields: Any) -> LabelledImages:
    source: AnySource = TypeAdapter(AnySource).validate_python({"kind": "folder", "path": "set"} | fields)
    return read(source, folder, ImageShape(), labels_needed=labels_needed)


def put(folder: Path, *names: str) -> None:
    """Images at these places below `set`, each with a grey of its own."""
    for number, name in enumerate(names):
        file = folder / "set" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4), (number, number, number)).save(file, format="PNG")


def order(images: LabelledImages) -> list[int]:
    """Which images there are, by the grey of each."""
    greys: list[int] = images.images[:, 0, 0, 0].tolist()
    return greys


def readable(file: str) -> bool:
    return not Path(file).name.startswith(".") and file.lower().endswith((".png", ".jpeg"))


@pytest.mark.parametrize(
    "names",
    [
        ["ant/1.png", "bee/2.png", "cat/3.png"],
        ["ant/images/ant_0.JPEG", "bee/images/bee_0.JPEG", "cat/images/cat_1.JPEG"],
        ["ant/z.png", "ant/a/1.png", "ant/b/1.png", "bee/x/y/2.png", "cat/10.png", "cat/9.png"],
        ["ant/10.PNG", "ant/9.png", "bee/B.png", "bee/a.png"],
        ["K\u00e4fer/1.png", "Ku\u0308he/2.png", "Z\u00fcge/3.png"],
        ["a b/1.png", "a-b/2.png", "a_b/3.png", "ab/4.png"],
        ["10/1.png", "2/2.png", "1/3.png"],
        ["ant/1.png", "bee/sub.png/2.png"],
    ],
)
def test_every_layout_is_read_as_torchvision_reads_it(tmp_path: Path, names: list[str]) -> None:
    put(tmp_path, *names)
    plain = datasets.ImageFolder(str(tmp_path / "set"), is_valid_file=readable)
    images = get(tmp_path)
    assert order(images) == [image.getpixel((0, 0))[0] for image, _ in plain]
    assert images.labels.tolist() == plain.targets
    assert list(images.classes) == [unicodedata.normalize("NFC", name) for name in plain.classes]
    assert images.named


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("ant/._1.png", "hidden"),
        (".DS_Store", "hidden"),
        ("ant/.DS_Store", "hidden"),
        (".ipynb_checkpoints/1.png", "hidden"),
        ("__MACOSX/ant/._1.png", "hidden"),
        ("ant/Thumbs.db", "names are not those of images"),
        ("ant/notes.txt", "names are not those of images"),
        ("ant/1.heic", "names are not those of images"),
        ("beside.png", "beside the class folders"),
    ],
)
def test_what_is_no_image_of_a_class_is_left_out_and_said(tmp_path: Path, name: str, said: str) -> None:
    put(tmp_path, "ant/1.png", "bee/2.png")
    file = tmp_path / "set" / name
    file.parent.mkdir(exist_ok=True, parents=True)
    file.write_bytes(JUNK)
    images = get(tmp_path)
    assert order(images) == [0, 1]
    assert images.classes == ("ant", "bee")
    (note,) = images.notes
    assert note.startswith("1 ")
    assert said in note
    assert file.name in note or file.parent.name in note or "__MACOSX" in note


def test_an_empty_class_counts_and_is_said(tmp_path: Path) -> None:
    put(tmp_path, "ant/1.png", "cat/2.png")
    (tmp_path / "set" / "bee").mkdir()
    images = get(tmp_path)
    assert (images.classes, images.labels.tolist()) == (CLASSES, [0, 2])
    assert images.notes == ("1 class folder without images counted as a class, e.g. bee",)


def test_nested_images_are_counted(tmp_path: Path) -> None:
    put(tmp_path, "ant/a/1.png", "ant/b/2.png", "bee/3.png")
    (note,) = get(tmp_path).notes
    assert note.startswith("2 images below a class folder")


@pytest.mark.parametrize("annotated", ["images", "flat"])
def test_tiny_imagenets_validation_part(tmp_path: Path, annotated: str) -> None:
    put(tmp_path, "images/val_0.JPEG", "images/val_1.JPEG", "images/val_2.JPEG")
    lines = "val_0.JPEG\tn02\t0\t0\t4\t4\nval_1.JPEG\tn01\t0\t0\t4\t4\nval_2.JPEG\tn02\t0\t0\t4\t4\n"
    (tmp_path / "set" / "val_annotations.txt").write_text(lines if annotated == "images" else lines[:20])
    if annotated == "flat":
        with pytest.raises(PlanError, match="does not say the class of val_1"):
            get(tmp_path)
        return
    images = get(tmp_path)
    assert (images.classes, images.labels.tolist(), images.notes) == (("n01", "n02"), [1, 0, 1], ())


@pytest.mark.parametrize(
    "names",
    [
        ["1.png", "2.png", "3.png"],
        ["images/1.png", "images/2.png", "images/3.png"],
        ["ant/1.png", "ant/2.png", "bee/3.png"],
        ["1.png", "2.png", "more/3.png"],
        ["K\u00e4fer/1.png", "K\u00e4fer/2.png", "Ka\u0308fer/3.png"],
    ],
)
def test_public_images_need_no_labels(tmp_path: Path, names: list[str]) -> None:
    put(tmp_path, *names)
    assert sorted(order(get(tmp_path, labels_needed=False))) == [0, 1, 2]


@pytest.mark.parametrize(
    ("names", "fields", "words"),
    [
        ([], {}, ("No such file",)),
        (["1.png"], {}, ("no subfolder", "1 image in it without a class")),
        (["train/ant/1.png", "val/ant/2.png"], {}, ("are parts, not classes", "train")),
        (["K\u00e4fer/1.png", "Ka\u0308fer/2.png"], {}, ("twice", "the same name", "rename")),
        (["ant/1.png"], {"classes": ["bee", "cat"]}, ("ant is none of the classes",)),
        (["ant/notes.txt"], {}, ("hold no image", "ant")),
        (["ant/1.png"], {"path": "set/ant/1.png"}, ("cannot be read",)),
    ],
)
def test_what_is_no_folder_of_classes_is_refused(
    tmp_path: Path, names: list[str], fields: dict[str, Any], words: tuple[str, ...]
) -> None:
    put(tmp_path, *names)
    with pytest.raises(PlanError) as refused:
        get(tmp_path, **fields)
    for word in words:
        assert word in str(refused.value)
    assert "\n" not in str(refused.value)


def test_names_in_latin_1_are_refused_with_a_way_out(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    place = os.fsencode(tmp_path / "set") + b"/K\xe4fer"
    try:
        Path(os.fsdecode(place)).mkdir()
    except OSError:
        pytest.skip("this file system has names in UTF-8 only")
    Image.new("L", (4, 4)).save(Path(os.fsdecode(place)) / "1.png")
    with pytest.raises(PlanError, match=r"Latin-1.*UTF-8; rename its subfolder"):
        get(tmp_path)


def test_file_names_in_latin_1_are_read_and_spelt_out(tmp_path: Path) -> None:
    put(tmp_path, "ant/1.png", "bee/2.png")
    name = os.fsdecode(b"K\xe4fer")
    try:
        (tmp_path / "set" / "ant" / f"{name}.png").write_bytes(
            (tmp_path / "set" / "bee" / "2.png").read_bytes()
        )
        (tmp_path / "set" / "ant" / f"{name}.txt").touch()
    except OSError:
        pytest.skip("this file system has names in UTF-8 only")
    images = get(tmp_path)
    assert order(images) == [0, 1, 1]
    assert images.notes[0].endswith("K\\udce4fer.txt")


def test_a_link_back_is_no_endless_folder(tmp_path: Path) -> None:
    put(tmp_path, "ant/1.png", "bee/2.png")
    (tmp_path / "set" / "ant" / "again").symlink_to(tmp_path / "set" / "ant")
    with pytest.raises(PlanError, match="read already"):
        get(tmp_path)


def test_classes_may_be_written_in_another_form(tmp_path: Path) -> None:
    put(tmp_path, "Ka\u0308fer/1.png", "bee/2.png")
    images = get(tmp_path, classes=["bee", "K\u00e4fer"])
    assert [images.classes[label] for label in images.labels] == ["K\u00e4fer", "bee"]
    assert np.unique(images.labels).tolist() == [0, 1]
