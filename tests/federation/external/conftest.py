"""Folders with models and data that autokd did not make: real ones, and small ones to be broken."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from autokd.config.external import ExternalFederation
from autokd.config.yaml_files import read_study_config
from autokd.models.architectures import Cnn, Mlp, Shape
from tests.cli.conftest import here as here
from tests.federation.external.samples import (
    CLASSES,
    SIZE,
    TINY_CONFIRMATION,
    TINY_SEARCH,
    folder_source,
    write,
    write_images,
)

SCRIPT = Path(__file__).parent / "elsewhere.py"


@pytest.fixture(scope="session")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images, the checkpoints of a script that knows nothing of autokd, and what it measured."""
    folder = tmp_path_factory.mktemp("elsewhere")
    write_images(folder / "images")
    shutil.copy(SCRIPT, folder)
    subprocess.run(
        [sys.executable, "elsewhere.py", "images", "."], cwd=folder, check=True, capture_output=True
    )
    return folder


def measured(folder: Path) -> dict[str, dict[str, int]]:
    """Right answers of each model, as the script counted them."""
    counts: dict[str, dict[str, int]] = json.loads((folder / "accuracies.json").read_text())
    return counts


Recipe = dict[str, Any]


def small() -> Recipe:
    """Two participants with small networks; the first says what it is worth."""
    return {
        "name": "small",
        "federation": {
            "name": "small",
            "participants": [
                {
                    "architecture": {"name": "cnn", "options": {"widths": [6, 8]}},
                    "checkpoint": "cnn.pt",
                    "data": folder_source("part0"),
                    "claimed_accuracy": 1.0,
                },
                {
                    "architecture": {"name": "mlp", "options": {"widths": [8]}},
                    "checkpoint": "mlp.safetensors",
                    "data": folder_source("part1"),
                },
            ],
            "splits": {
                "kind": "separate",
                **{name: folder_source(name) for name in ("validation", "confirmation", "test")},
            },
        },
        "distillation": {"learning_rate": 0.01, "epochs": 2},
        "search": TINY_SEARCH,
        "confirmation": TINY_CONFIRMATION,
    }


PARTS = {"part0": 6, "part1": 6, "validation": 3, "confirmation": 3, "test": 3}


@pytest.fixture(scope="session")
def small_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of `small`; its first model is trained until it knows its own data."""
    from safetensors.torch import save_file
    from torchvision import datasets, transforms

    folder = tmp_path_factory.mktemp("small")
    write_images(folder / "images", parts=PARTS)
    shape = Shape(channels=3, size=SIZE, classes=len(CLASSES))
    with torch.random.fork_rng():
        torch.manual_seed(1)
        cnn, mlp = Cnn(widths=(6, 8)).build(shape), Mlp(widths=(8,)).build(shape)
        data = datasets.ImageFolder(str(folder / "images" / "part0"), transforms.ToTensor())
        images, labels = torch.stack([image for image, _ in data]), torch.tensor(data.targets)
        optimizer = torch.optim.Adam(cnn.parameters(), lr=0.02)
        for _ in range(60):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(cnn(images), labels).backward()
            optimizer.step()
    assert (cnn.eval()(images).argmax(1) == labels).all()
    torch.save(cnn.state_dict(), folder / "cnn.pt")
    save_file(mlp.state_dict(), folder / "mlp.safetensors")
    write(small(), folder)
    return folder


@pytest.fixture
def mine(small_folder: Path, tmp_path: Path) -> Path:
    """A copy to break."""
    folder = tmp_path / "mine"
    shutil.copytree(small_folder, folder)
    return folder


def edit(folder: Path, change: Callable[[Recipe], object]) -> None:
    """Change the recipe in a folder."""
    content = yaml.safe_load((folder / "mine.yaml").read_text())
    change(content)
    write(content, folder)


def of(folder: Path) -> ExternalFederation:
    recipe = read_study_config(str(folder / "mine.yaml")).federation
    assert isinstance(recipe, ExternalFederation)
    return recipe


def change(folder: Path, **fields: Any) -> None:
    edit(folder, lambda recipe: recipe["federation"].update(fields))
