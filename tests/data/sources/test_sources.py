"""Every kind of source gives the images and labels that were put there, in the order that it has them."""

from __future__ import annotations

import io
import json
import pickle
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from pydantic import TypeAdapter
from torchvision import datasets, transforms

from autokd.config.images import ImageShape
from autokd.config.sources import AnySource
from autokd.data.sources import read
from autokd.data.sources.labelled_images import LabelledImages, as_floats
from autokd.errors import PlanError

RNG = np.random.default_rng(0)
IMAGES: NDArray[np.uint8] = RNG.integers(0, 256, size=(12, 8, 8, 3), dtype=np.uint8)
LABELS = np.array([0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 2])
CLASSES = ("ant", "bee", "cat")
CHANNELS_FIRST = IMAGES.transpose(0, 3, 1, 2)


def get(folder: Path, wanted: ImageShape | None = None, **fields: Any) -> LabelledImages:
    source: AnySource = TypeAdapter(AnySource).validate_python(fields)
    return read(source, folder, wanted or ImageShape(), code_folder=folder)


def same(images: LabelledImages, *, classes: tuple[str, ...] = CLASSES) -> None:
    assert images.images.dtype == np.uint8
    assert np.array_equal(images.images, CHANNELS_FIRST)
    assert images.labels.tolist() == LABELS.tolist()
    assert images.labels.dtype == np.int64
    assert images.classes == classes


def write_folder(folder: Path) -> None:
    for number, (image, label) in enumerate(zip(IMAGES, LABELS, strict=True)):
        place = folder / CLASSES[label]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(place / f"{number:02}.png")


def png(image: NDArray[np.uint8]) -> bytes:
    content = io.BytesIO()
    Image.fromarray(image).save(content, format="PNG")
    return content.getvalue()


def test_a_folder_is_read_as_torchvision_reads_it(tmp_path: Path) -> None:
    write_folder(tmp_path / "images")
    (tmp_path / "images" / "ant" / "notes.txt").write_text("no image")
    images = get(tmp_path, kind="folder", path="images")
    same(images)
    reference = datasets.ImageFolder(str(tmp_path / "images"), transforms.ToTensor())
    assert tuple(reference.classes) == images.classes
    assert reference.targets == images.labels.tolist()
    stacked = torch.stack([image for image, _ in reference])
    assert torch.equal(stacked, torch.from_numpy(images.images.copy()).float().div(255))


def test_classes_may_be_given_in_another_order(tmp_path: Path) -> None:
    write_folder(tmp_path / "images")
    images = get(tmp_path, kind="folder", path="images", classes=["cat", "dog", "bee", "ant"])
    assert [images.classes[label] for label in images.labels] == [CLASSES[label] for label in LABELS]
    assert images.classes == ("cat", "dog", "bee", "ant")


@pytest.mark.parametrize("images", [IMAGES, CHANNELS_FIRST, IMAGES.astype(np.int64)])
def test_an_archive_may_have_channels_first_or_last(tmp_path: Path, images: NDArray[Any]) -> None:
    np.savez(tmp_path / "own.npz", images=images, labels=LABELS, classes=np.array(CLASSES))
    same(get(tmp_path, kind="npz", path="own.npz"))
    np.savez_compressed(tmp_path / "own.npz", x=images, y=LABELS[:, None])
    same(get(tmp_path, kind="npz", path="own.npz", images="x", labels="y"), classes=("0", "1", "2"))


def test_floats_of_an_archive_stay_what_they_are(tmp_path: Path) -> None:
    images = RNG.normal(size=(12, 8, 8))
    np.savez(tmp_path / "own.npz", images=images, labels=LABELS)
    floats = get(tmp_path, kind="npz", path="own.npz")
    assert floats.images.dtype == np.float32
    assert np.array_equal(floats.images[:, 0], images.astype(np.float32))


@pytest.mark.parametrize(
    ("images", "words"),
    [
        (IMAGES[..., 0].reshape(12, 64), r"\(12, 64\), not.*reshape it, or say values: tensor"),
        (IMAGES[..., :2], r"reshape it, or say values: tensor"),
        (np.concatenate([IMAGES, IMAGES[..., :1]], axis=3), r"transparency leave the last out"),
        (CHANNELS_FIRST[:, [0, 1, 2, 0]], r"transparency leave the last out"),
        (IMAGES.view(np.int8), r"from -128 to 127; pixels are 0 to 255; save them so, as uint8"),
        (IMAGES.astype(np.int32) * 16, r"to 4080; pixels are 0 to 255, unless the source says bits: 12"),
        (IMAGES > 9, r"holds bool.*save 0\.0 and 1\.0"),
        (IMAGES[..., 0].transpose(1, 2, 0), r"\(8, 8, 12\), and examples come first; save np\.moveaxis\("),
        (IMAGES.astype("c16"), r"holds complex128, not pixels"),
    ],
)
def test_arrays_that_are_no_images_are_refused_with_a_way_out(
    images: NDArray[Any], words: str, tmp_path: Path
) -> None:
    np.savez(tmp_path / "some.npz", images=images, labels=LABELS)
    with pytest.raises(PlanError, match=words):
        get(tmp_path, kind="npz", path="some.npz")


def saved(save: Callable[..., object], file: Path) -> Path:
    save(file, IMAGES)
    return file


@pytest.mark.parametrize(
    ("save", "words"),
    [
        (lambda file: shutil.move(saved(np.save, file.with_suffix(".npy")), file), "is one array"),
        (lambda file: torch.save((IMAGES.tolist(), LABELS), file), "is a file of torch.save"),
        (lambda file: file.write_bytes(b"MATLAB 5.0 MAT-file"), "is no NumPy archive"),
        (lambda file: np.savez(file, x=IMAGES, y=LABELS), "there is x, y; say images: <the name"),
    ],
)
def test_files_that_are_no_archives_of_images_are_refused_with_a_way_out(
    save: Callable[[Path], object], words: str, tmp_path: Path
) -> None:
    save(tmp_path / "some.npz")
    with pytest.raises(PlanError, match=words) as refused:
        get(tmp_path, kind="npz", path="some.npz")
    assert "np.savez(file, images=..., labels=...)" in str(refused.value) or "say images" in words


def test_bytes_become_the_floats_that_torchvision_makes_of_them() -> None:
    every = np.arange(256, dtype=np.uint8).reshape(16, 16)
    of_torchvision: NDArray[np.float32] = transforms.ToTensor()(every[..., None]).numpy()
    floats = as_floats(every[None, None])
    assert floats.dtype == np.float32
    assert np.array_equal(floats[0], of_torchvision)


def test_a_table_of_hugging_face(tmp_path: Path) -> None:
    metadata = {"info": {"features": {"label": {"names": list(CLASSES), "_type": "ClassLabel"}}}}
    table = pa.table(
        {"image": [{"bytes": png(image), "path": None} for image in IMAGES], "label": LABELS}
    ).replace_schema_metadata({"huggingface": json.dumps(metadata)})
    pq.write_table(table, tmp_path / "own.parquet")
    same(get(tmp_path, kind="parquet", path="own.parquet"))


def test_a_table_of_bytes_and_words(tmp_path: Path) -> None:
    table = pa.table(
        {"picture": [png(image) for image in IMAGES], "kind": [CLASSES[label] for label in LABELS]}
    )
    pq.write_table(table, tmp_path / "own.parquet")
    same(get(tmp_path, kind="parquet", path="own.parquet", image="picture", label="kind"))


CODE = """
import numpy as np, torch
from torchvision import transforms
from PIL import Image

class Own:
    classes = ["ant", "bee", "cat"]
    def __init__(self, form="tensor"):
        self.form = form
        with np.load("%s") as archive:
            self.images, self.labels = archive["images"], archive["labels"]
    def __len__(self):
        return len(self.images)
    def __getitem__(self, number):
        image = Image.fromarray(self.images[number])
        if self.form == "tensor":
            image = transforms.ToTensor()(image)
        elif self.form == "array":
            image = self.images[number]
        return image, torch.tensor(self.labels[number])
"""


@pytest.mark.parametrize("form", ["tensor", "array", "pillow"])
def test_a_data_set_of_code(tmp_path: Path, form: str) -> None:
    """Also where its transform makes floats of bytes: they are kept as bytes."""
    np.savez(tmp_path / "own.npz", images=IMAGES, labels=LABELS)
    (tmp_path / f"of_code_{form}.py").write_text(CODE % (tmp_path / "own.npz"))
    same(get(tmp_path, kind="code", factory=f"of_code_{form}:Own", options={"form": form}))
    assert not list(tmp_path.glob("__pycache__"))


def test_a_data_set_that_normalises_gives_floats(tmp_path: Path) -> None:
    np.savez(tmp_path / "own.npz", images=IMAGES, labels=LABELS)
    text = CODE % (tmp_path / "own.npz")
    text = text.replace("transforms.ToTensor()(image)", "transforms.ToTensor()(image) * 2 - 1")
    (tmp_path / "normalising.py").write_text(text)
    images = get(tmp_path, kind="code", factory="normalising:Own")
    expected = torch.from_numpy(CHANNELS_FIRST.copy()).float().div(255) * 2 - 1
    assert torch.equal(torch.from_numpy(images.images), expected)


RANDOM = """
import random
import numpy as np

class Own:
    def __init__(self, what):
        self.what, self.read = what, set()
    def __len__(self):
        return 20
    def __getitem__(self, number):
        image, label = np.full((4, 4), number, dtype=np.uint8), number % 2
        if self.what == "noise":
            image = image + np.random.default_rng().integers(0, 99, (4, 4), dtype=np.uint8)
        elif self.what == "some noise":
            image[0, 0] += random.random() < 0.5
        elif self.what == "labels":
            label = random.randrange(10)
        elif self.what == "once" and number in self.read:
            raise EOFError("read before")
        self.read.add(number)
        return image, label
"""


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("nothing", ()),
        ("noise", ("differs when it is read twice", "random augmentation")),
        ("some noise", ("differs when it is read twice",)),
        ("labels", ("differs when it is read twice",)),
        ("once", ("cannot be read a second time", "EOFError: read before")),
    ],
)
def test_examples_that_are_not_the_same_again_are_noted(
    tmp_path: Path, what: str, words: tuple[str, ...]
) -> None:
    (tmp_path / "datasets.py").write_text(RANDOM)
    images = get(tmp_path, kind="code", factory="datasets:Own", options={"what": what})
    assert len(images.notes) == bool(words)
    assert all(word in images.notes[0] for word in words)


def write_mnist(root: Path, name: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """As the originals, but for their number and compression."""
    raw = root / name / "raw"
    raw.mkdir(parents=True)
    images = RNG.integers(0, 256, size=(20, 28, 28), dtype=np.uint8)
    labels = np.arange(20, dtype=np.uint8) % 10
    for part in ("train", "t10k"):
        (raw / f"{part}-images-idx3-ubyte").write_bytes(
            struct.pack(">4i", 2051, 20, 28, 28) + images.tobytes()
        )
        (raw / f"{part}-labels-idx1-ubyte").write_bytes(struct.pack(">2i", 2049, 20) + labels.tobytes())
    return images, labels


@pytest.mark.parametrize("name", ["MNIST", "FashionMNIST"])
def test_mnist_and_its_like_from_torchvisions_files(tmp_path: Path, name: str) -> None:
    images, labels = write_mnist(tmp_path, name)
    part = get(tmp_path, kind="torchvision", dataset=name, root=".", start=5)
    assert np.array_equal(part.images[:, 0], images[5:])
    assert part.labels.tolist() == labels[5:].tolist()
    assert len(part.classes) == 10


@pytest.mark.parametrize("train", [True, False])
def test_cifar_from_torchvisions_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, train: bool) -> None:
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    pixels = RNG.integers(0, 256, size=(4, 3072), dtype=np.uint8)
    for name in (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"):
        (folder / name).write_bytes(pickle.dumps({"data": pixels, "labels": [3, 1, 4, 1]}))
    names = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": names}))
    # Their checksums are those of the originals.
    monkeypatch.setattr(datasets.cifar, "check_integrity", lambda *_: True)
    images = get(tmp_path, kind="torchvision", dataset="CIFAR10", root=".", train=train)
    assert images.images.shape == (20 if train else 4, 3, 32, 32)
    assert np.array_equal(images.images[:4].reshape(4, -1), pixels)
    assert images.labels[:4].tolist() == [3, 1, 4, 1]
    assert images.classes == tuple(names)


def test_image_folders_may_stand_in_for_torchvisions_files(tmp_path: Path) -> None:
    write_folder(tmp_path / "data" / "train")
    same(get(tmp_path, kind="torchvision", dataset="CIFAR10", root="data"))


def test_nothing_is_downloaded_unless_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []

    def opened(root: str, download: bool, **_: object) -> object:
        asked.append(download)
        raise RuntimeError("not found")

    monkeypatch.setattr(datasets, "SVHN", opened)
    for download in (False, True):
        with pytest.raises(Exception, match="SVHN is not there"):
            get(tmp_path, kind="torchvision", dataset="SVHN", root="data", download=download)
    assert asked == [False, True]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("fields", "chosen"),
    [
        ({"start": 2, "stop": 11, "step": 4}, [2, 6, 10]),
        ({"indices": "some.txt"}, [7, 0, 3]),
        ({"indices": "some.npy"}, [7, 0, 3]),
    ],
)
def test_some_of_the_examples(tmp_path: Path, fields: dict[str, Any], chosen: list[int]) -> None:
    write_folder(tmp_path / "images")
    (tmp_path / "some.txt").write_text("7\n0\n3\n")
    np.save(tmp_path / "some.npy", np.array([7, 0, 3]))
    images = get(tmp_path, kind="folder", path="images", **fields)
    assert np.array_equal(images.images, CHANNELS_FIRST[chosen])
    assert images.labels.tolist() == LABELS[chosen].tolist()


def test_images_are_brought_to_one_shape(tmp_path: Path) -> None:
    write_folder(tmp_path / "images")
    Image.new("L", (20, 10), 99).save(tmp_path / "images" / "ant" / "wide.png")
    images = get(tmp_path, ImageShape(channels=1, size=6), kind="folder", path="images")
    assert images.images.shape == (13, 1, 6, 6)
    # Of the folder's own order: `wide.png` comes after the three ants with numbers.
    assert (images.images[3] == 99).all()
    np.savez(tmp_path / "own.npz", images=IMAGES, labels=LABELS)
    again = get(tmp_path, ImageShape(channels=1, size=6), kind="npz", path="own.npz")
    assert np.array_equal(again.images, np.delete(images.images, 3, axis=0))
