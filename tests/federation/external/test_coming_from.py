"""The lines of docs/coming-from.md read small files of each tool, and models answer as in plain PyTorch."""

from __future__ import annotations

import argparse
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
import yaml
from PIL import Image
from torch import Tensor, nn

from autokd.compute.device import Compute
from autokd.config.external import ExternalFederation
from autokd.config.training import DistillationConfig
from autokd.core.setting import DEFAULT, Pair, Split
from autokd.distillation import Run
from autokd.federation.external import load_external_or_raise
from autokd.federation.preparation import prepare
from autokd.models.kd_networks import KD_NETWORKS
from tests.federation.external.samples import CLASSES, picture
from tests.paths import ROOT

PAGE = (ROOT / "docs" / "coming-from.md").read_text()
LINES = dict(re.findall(r"```yaml\n# (\w+)\n(.*?)```", PAGE, re.DOTALL))
SIZE = 16
NETWORKS = """
from torch import nn


class Small(nn.Sequential):
    def __init__(self, width: int) -> None:
        first = nn.Conv2d(3, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(), nn.AdaptiveAvgPool2d(4)
        super().__init__(*first, nn.Flatten(), nn.Linear(16 * width, 4))
"""


def small(width: int) -> nn.Module:
    module: dict[str, Any] = {}
    exec(NETWORKS, module)
    made: nn.Module = module["Small"](width)
    return made


def write_images(folder: Path) -> tuple[Tensor, Tensor]:
    """Write the images that all models are asked for, as folders and as Parquet; return them in [0, 1]."""
    rng = np.random.default_rng(0)
    pixels, labels = [], []
    for part, count in {"train": 5, "validation": 2, "confirmation": 2, "test": 2}.items():
        for label, name in enumerate(CLASSES):
            (folder / "images" / part / name).mkdir(parents=True)
            for number in range(count):
                image = picture(label, rng)
                Image.fromarray(image).save(folder / "images" / part / name / f"{number}.png")
                if part == "train":
                    pixels.append(image)
                    labels.append(label)
    encoded = []
    for image in pixels:
        content = io.BytesIO()
        Image.fromarray(image).save(content, format="PNG")
        encoded.append({"bytes": content.getvalue(), "path": None})
    (folder / "data").mkdir()
    named = [CLASSES[label] for label in labels]
    pq.write_table(
        pa.table({"image": encoded, "label": named}), folder / "data" / "train-00000-of-00001.parquet"
    )
    images = torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).float() / 255
    return images, torch.tensor(labels)


def _timm(file: Path) -> nn.Module:
    timm = pytest.importorskip("timm", reason="timm is an optional extra: pip install 'autokd[timm]'")
    network: nn.Module = timm.create_model("resnet10t", num_classes=4)
    args = argparse.Namespace(model="resnet10t", lr=0.1)
    torch.save(
        {"epoch": 1, "arch": "resnet10t", "state_dict": network.state_dict(), "version": 2, "args": args},
        file,
    )
    return network


def _hf(file: Path) -> nn.Module:
    transformers = pytest.importorskip(
        "transformers", reason="transformers is an optional extra: pip install 'autokd[hf]'"
    )
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
    config = transformers.ViTConfig(image_size=SIZE, patch_size=8, num_labels=4, **sizes)
    network: nn.Module = transformers.ViTForImageClassification(config)
    network.save_pretrained(file.parent)  # type: ignore[operator]
    return network


def _torchvision(file: Path) -> nn.Module:
    from torchvision import models

    network: nn.Module = models.shufflenet_v2_x0_5(num_classes=4)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    content = {"model": network.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 1}
    torch.save({**content, "args": argparse.Namespace(model="shufflenet_v2_x0_5")}, file)
    return network


def _lightning(file: Path) -> nn.Module:
    network = small(8)
    weights = {f"net.{name}": value for name, value in network.state_dict().items()}
    torch.save(
        {"state_dict": weights, "hyper_parameters": {"lr": 0.1}, "pytorch-lightning_version": "2"}, file
    )
    return network


def _repdistiller(file: Path) -> nn.Module:
    network: nn.Module = KD_NETWORKS["resnet8x4"](channels=3, classes=4)
    torch.save({"epoch": 240, "model": network.state_dict(), "accuracy": torch.tensor(71.0)}, file)
    return network


def _flower(file: Path) -> nn.Module:
    network = small(6)
    np.savez(file, *[value.numpy() for value in network.state_dict().values()])
    return network


FILES: dict[str, Callable[[Path], nn.Module]] = {
    "timm": _timm,
    "hf": _hf,
    "torchvision": _torchvision,
    "lightning": _lightning,
    "repdistiller": _repdistiller,
    "flower": _flower,
}


def test_there_is_a_file_for_each_section() -> None:
    assert list(LINES) == list(FILES)


def federation(lines: list[str], folder: Path) -> ExternalFederation:
    participants = [participant for text in lines for participant in yaml.safe_load(text)]
    splits = {
        name: {"kind": "folder", "path": f"images/{name}"} for name in ("validation", "confirmation", "test")
    }
    content = {"name": "mine", "participants": participants, "splits": {"kind": "separate", **splits}}
    return ExternalFederation.model_validate(content).located(folder / "mine.yaml")


@pytest.mark.parametrize("tool", list(FILES))
def test_the_lines_read_its_files(tool: str, tmp_path: Path) -> None:
    (tmp_path / "networks.py").write_text(NETWORKS)
    images, labels = write_images(tmp_path)
    (written,) = yaml.safe_load(LINES[tool])
    file = tmp_path / written["checkpoint"]
    file.parent.mkdir(parents=True, exist_ok=True)
    other = tmp_path / "other.pt"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = FILES[tool](file).eval()
        torch.save(small(4).state_dict(), other)
    partner = {
        "name": "partner",
        "architecture": {"name": "networks:Small", "options": {"width": 4}},
        "checkpoint": "other.pt",
        "data": {"kind": "folder", "path": "images/train"},
    }
    recipe = federation([LINES[tool], yaml.safe_dump([partner])], tmp_path)
    checked = load_external_or_raise(recipe, Compute(), source="mine.yaml")
    model = checked.models[0]
    said = written.get("input", {"mean": [0.0], "std": [1.0]})
    mean, std = (torch.tensor(said[name]).view(1, -1, 1, 1) for name in ("mean", "std"))
    with torch.no_grad():
        answers = network((images - mean) / std)
    logits = getattr(answers, "logits", answers)
    assert model.measured.own.right == int((logits.argmax(dim=1) == labels).sum())
    assert model.measured.own.of == len(labels)
    expected = {name: value for name, value in network.state_dict().items() if value.is_floating_point()}
    for name, value in expected.items():
        np.testing.assert_array_equal(model.weights[f"network.{name}"], value)
    # What was prepared, and is found again, can be trained.
    made = prepare(recipe, home=tmp_path / "home", compute=Compute(), checked=checked)
    short = DistillationConfig(learning_rate=0.001, epochs=1)
    run = Run(
        *(made, Pair(1, 0), DEFAULT),
        seed=0,
        recipe=short,
        rungs=(1,),
        splits=[Split.VALIDATION],
        compute=Compute(),
    )
    assert [rung.epoch for rung in run] == [1]
