"""Images that are no squares stay as they are, and models get right of them what plain PyTorch measures."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn
from torchvision import transforms

import autokd
from autokd.compute.device import Compute
from autokd.config.external import ExternalFederation
from autokd.core.setting import Split
from autokd.delivery.card import Card, ImageFormat
from autokd.federation.external import Checked, load_external
from autokd.federation.findings import Findings
from autokd.models.architectures import Cnn, Mlp, Shape

Array = NDArray[Any]
CLASSES = 3
COUNTS = {"private0": 40, "private1": 30, "validation": 20, "confirmation": 20, "test": 20}


def drawn(height: int, width: int, channels: int) -> dict[str, Array]:
    """Bytes (n, height, width, channels) for each part."""
    rng = np.random.default_rng(height * width)
    return {
        name: rng.integers(0, 256, (count, height, width, channels), dtype=np.uint8)
        for name, count in COUNTS.items()
    }


def png(image: Array) -> bytes:
    content = io.BytesIO()
    Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(content, format="PNG")
    return content.getvalue()


def as_npz(file: Path, images: Array, labels: Array) -> dict[str, Any]:
    np.savez(f"{file}.npz", images=images[..., 0] if images.shape[-1] == 1 else images, labels=labels)
    return {"kind": "npz", "path": f"{file}.npz"}


def as_npz_channels_first(file: Path, images: Array, labels: Array) -> dict[str, Any]:
    np.savez(f"{file}.npz", images=images.transpose(0, 3, 1, 2), labels=labels)
    return {"kind": "npz", "path": f"{file}.npz"}


def as_floats(file: Path, images: Array, labels: Array) -> dict[str, Any]:
    np.savez(f"{file}.npz", images=(images / 255).astype(np.float32), labels=labels)
    return {"kind": "npz", "path": f"{file}.npz"}


def as_folder(file: Path, images: Array, labels: Array) -> dict[str, Any]:
    for number in range(CLASSES):
        (file / str(number)).mkdir(parents=True)
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        (file / str(label) / f"{number:03}.png").write_bytes(png(image))
    return {"kind": "folder", "path": str(file)}


def as_table(file: Path, images: Array, labels: Array) -> dict[str, Any]:
    rows = pa.table({"image": [{"bytes": png(image), "path": None} for image in images], "label": labels})
    pq.write_table(rows, f"{file}.parquet")
    return {"kind": "parquet", "path": f"{file}.parquet"}


Store = Callable[[Path, Array, Array], dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Case:
    """How images are stored, what the recipe says of them, and the same for torchvision."""

    name: str
    shape: tuple[int, int, int]
    store: Store = as_npz
    images: dict[str, Any] = field(default_factory=dict)
    input: dict[str, Any] = field(default_factory=dict)
    steps: tuple[Any, ...] = ()
    asked: tuple[int, int] | None = None
    """Height and width that the network is given, if they are not those of the images."""
    network: str = "cnn"


CASES = (
    Case(name="wide and grey", shape=(8, 13, 1)),
    Case(name="tall and grey", shape=(13, 8, 1)),
    Case(name="colour, channels first", shape=(9, 14, 3), store=as_npz_channels_first),
    Case(name="floats", shape=(8, 12, 3), store=as_floats),
    Case(name="files", shape=(12, 9, 3), store=as_folder),
    Case(name="grey files", shape=(9, 12, 1), store=as_folder, images={"channels": 1}),
    Case(name="table", shape=(7, 11, 3), store=as_table),
    Case(name="fully connected", shape=(6, 10, 1), network="mlp"),
    Case(
        name="squares that become rectangles",
        shape=(12, 12, 1),
        images={"resize": [8, 14]},
        steps=(transforms.Resize((8, 14)),),
    ),
    Case(
        name="a crop of files",
        shape=(12, 15, 3),
        store=as_folder,
        images={"resize": 10, "crop": [8, 11]},
        steps=(transforms.Resize(10), transforms.CenterCrop((8, 11))),
    ),
    Case(
        name="padded at the sides",
        shape=(10, 8, 1),
        images={"pad": [3, 0]},
        steps=(transforms.Pad((3, 0)),),
    ),
    Case(
        name="scaled to a square by the input",
        shape=(8, 12, 1),
        input={"size": 10},
        asked=(10, 10),
    ),
)


def plain(network: nn.Module, images: Array, case: Case) -> Array:
    """Classes by a plain loop."""
    answers = []
    for image in images:
        pillow = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
        pixels = transforms.ToTensor()(transforms.Compose(list(case.steps))(pillow))[None]
        if case.asked is not None:
            pixels = nn.functional.interpolate(pixels, size=case.asked, mode="bilinear", antialias=True)
        with torch.no_grad():
            answers.append(int(network.eval()(pixels).argmax()))
    return np.array(answers)


def made(case: Case, folder: Path) -> tuple[dict[str, Any], nn.Module, dict[str, tuple[Array, Array]]]:
    """Return the recipe of a case, its network, and images and labels by part.

    Two thirds of the labels are the network's own answers, so that it has something to lose.
    """
    parts = drawn(*case.shape)
    first = parts["private0"][0]
    after = np.asarray(transforms.Compose(list(case.steps))(Image.fromarray(first[..., 0])))
    height, width = case.asked or after.shape[:2]
    shape = Shape(channels=case.shape[2], size=height, width=width, classes=CLASSES)
    torch.manual_seed(3)
    options = {"widths": [6, 8] if case.network == "cnn" else [24]}
    network = (Cnn if case.network == "cnn" else Mlp)(**options).build(shape)
    if case.network == "cnn":
        # Averaged over the image, random answers hardly differ; the statistics of these images spread them.
        with torch.no_grad():
            network[-1].weight.mul_(30)  # type: ignore[index]
            network[-1].bias.zero_()  # type: ignore[index]
    torch.save(network.state_dict(), folder / "net.pt")
    data, sources = {}, {}
    for name, images in parts.items():
        labels = plain(network, images, case)
        labels[::3] = np.arange(len(labels[::3])) % CLASSES
        labels[:CLASSES] = range(CLASSES)
        data[name] = images, labels
        sources[name] = case.store(folder / name, images, labels)
    participants = [
        {
            "architecture": {"name": case.network, "options": options},
            "checkpoint": str(folder / "net.pt"),
            "data": sources[f"private{number}"],
            "input": case.input,
        }
        for number in (0, 1)
    ]
    splits = {name: sources[name] for name in ("validation", "confirmation", "test")}
    recipe = {"name": "r", "participants": participants, "splits": {"kind": "separate", **splits}}
    return {**recipe, "images": case.images}, network, data


def check(recipe: dict[str, Any]) -> tuple[Checked | None, Findings]:
    findings = Findings("mine.yaml")
    return load_external(ExternalFederation.model_validate(recipe), Compute(), findings), findings


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "-"))
def test_rectangles_are_what_plain_pytorch_reads(case: Case, tmp_path: Path) -> None:
    recipe, network, data = made(case, tmp_path)
    checked, findings = check(recipe)
    assert checked is not None, findings.problems
    assert not [warning for warning in findings.warnings if "squeezed" in warning.problem]
    for number in (0, 1):
        images, labels = data[f"private{number}"]
        right = plain(network, images, case) == labels
        assert 0.5 < right.mean() < 1
        assert findings.measured[number].own.accuracy == pytest.approx(right.mean())
        images, labels = data["test"]
        assert findings.measured[number].splits["test"].accuracy == pytest.approx(
            (plain(network, images, case) == labels).mean()
        )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda r: r["participants"][1].update(input={"crop": 6}), ("participant 1", "federation.images")),
        (
            lambda r: r["participants"][0].update(input={"resize": [8, 8]}),
            ("nothing of it", "federation.images"),
        ),
        (
            lambda r: r.update(
                images={"crop": 5},
                participants=[{**participant, "input": {"crop": 6}} for participant in r["participants"]],
            ),
            ("crop: (6,)", "federation.images crop: (5,)"),
        ),
    ],
)
def test_one_cut_for_all_is_asked_for_once(change: Any, words: tuple[str, ...], tmp_path: Path) -> None:
    """Participants are asked for the same stored images, which can be cut in one way only."""
    recipe, _, _ = made(CASES[0], tmp_path)
    change(recipe)
    _, findings = check(recipe)
    (problem,) = findings.problems
    assert all(word in str(problem) for word in words), problem


def test_shapes_that_differ_are_refused(tmp_path: Path) -> None:
    recipe, _, data = made(CASES[0], tmp_path)
    images, labels = data["private1"]
    recipe["participants"][1]["data"] = as_npz(tmp_path / "turned", images.transpose(0, 2, 1, 3), labels)
    _, findings = check(recipe)
    (problem,) = findings.problems
    assert problem.field == "federation.participants.1.data"
    assert "1x13x8" in problem.problem
    assert "resize and crop" in problem.problem
    recipe["participants"].reverse()
    _, findings = check(recipe)
    # One mistake, one message: most sources agree, whatever the order.
    assert ["participants.0.data" in problem.field for problem in findings.problems] == [True]
    assert "those of participant 1 are 1x8x13" in findings.problems[0].problem
    recipe["participants"].reverse()
    recipe["images"] = {"size": 8}
    assert check(recipe)[0] is not None
    folder = tmp_path / "mixed" / "0"
    folder.mkdir(parents=True)
    for number, size in enumerate([(8, 13), (13, 8)]):
        Image.new("L", size).save(folder / f"{number}.png")
    recipe["participants"][1]["data"] = {"kind": "folder", "path": str(folder.parent)}
    _, findings = check({**recipe, "images": {}})
    assert "images.size (squares), or images.resize and images.crop" in findings.problems[0].problem


def test_they_are_distilled_and_delivered(tmp_path: Path) -> None:
    parts = drawn(8, 12, 1)
    shape = Shape(channels=1, size=8, width=12, classes=CLASSES)
    members = [
        autokd.Member(
            model=kind(widths=(8,)).build(shape),
            data=(parts[f"private{number}"][..., 0], np.arange(COUNTS[f"private{number}"]) % CLASSES),
            architecture=name,
            options={"widths": (8,)},
        )
        for number, (name, kind) in enumerate([("cnn", Cnn), ("mlp", Mlp)])
    ]
    splits: dict[str, Any] = {
        split.value: (parts[split.value][..., 0], np.arange(COUNTS[split.value]) % CLASSES) for split in Split
    }
    federation = autokd.federation_from_models("rectangles", members, home=tmp_path / "home", **splits)
    config = autokd.StudyConfig.model_validate(
        {
            "name": "r",
            "federation": federation.recipe,
            "distillation": {"learning_rate": 0.01, "epochs": 2},
            "search": {"stopping": {"rungs": [1]}},
        }
    )
    setting = autokd.Setting(temperature=2.0, alpha=0.5, transfer_set=autokd.TransferSet.STUDENT)
    file = tmp_path / "student.safetensors"
    card: Card = autokd.distill("0,1", file, setting=setting, study=config, home=tmp_path / "home")
    assert isinstance(card.images, ImageFormat)
    assert (card.images.size, card.images.width) == (8, 12)
    assert "size=8" in file.with_suffix(".md").read_text()
    assert "width=12" in file.with_suffix(".md").read_text()
