"""A small image folder of four kinds of pictures, and a recipe of three participants on it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray
from PIL import Image

from tests.paths import FEW

CLASSES = ("bars", "checks", "dots", "waves")
SIZE = 16
PARTS = {"part0": 16, "part1": 14, "part2": 12, "validation": 10, "confirmation": 12, "test": 15, "public": 6}
"""Images of each class in each part."""


def picture(label: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """One noisy picture of a class, shape (size, size, 3)."""
    rows, columns = np.mgrid[:SIZE, :SIZE] + rng.integers(0, 4, size=2)[:, None, None]
    shapes = (
        columns // 2 % 2,
        (rows // 4 + columns // 4) % 2,
        (rows % 4 < 2) & (columns % 4 < 2),
        rows // 3 % 2,
    )
    tint = rng.uniform(0.4, 1, size=3)
    light = 60 + 120 * shapes[label][..., None] * tint + rng.normal(0, 40, size=(SIZE, SIZE, 3))
    pixels: NDArray[np.uint8] = np.clip(light, 0, 255).astype(np.uint8)
    return pixels


def write_images(folder: Path, *, seed: int = 0, parts: Mapping[str, int] = PARTS) -> Path:
    """`<part>/<class>/<number>.png`; no two images are the same."""
    rng = np.random.default_rng(seed)
    for part, count in parts.items():
        for label, name in enumerate(CLASSES):
            (folder / part / name).mkdir(parents=True)
            for number in range(count):
                Image.fromarray(picture(label, rng)).save(folder / part / name / f"{number:03}.png")
    return folder


LOOK = {"mean": [0.5, 0.4, 0.3], "std": [0.2, 0.3, 0.4]}
TINY_SEARCH = {"trials": 2, "startup_trials": 2, "stopping": {"rungs": [1], "grace": 0}}
TINY_CONFIRMATION = {"candidates": 1, "race_seeds": 1, "seeds": 2, "resamples": 200}


def folder_source(name: str) -> dict[str, Any]:
    return {"kind": "folder", "path": f"images/{name}"}


def recipe() -> dict[str, Any]:
    """Of what `elsewhere.py` trains."""
    networks = [
        {"name": "resnet18", "options": {"num_classes": 4}},
        {"name": "mobilenet_v3_small"},
        {"name": "elsewhere:own_cnn", "options": {"width": 8}},
    ]
    return {
        "name": "mine",
        "federation": {
            "name": "mine",
            "participants": [
                {
                    "architecture": network,
                    "checkpoint": f"model{number}.pt",
                    "data": folder_source(f"part{number}"),
                    "input": LOOK,
                }
                for number, network in enumerate(networks)
            ],
            "splits": {
                "kind": "separate",
                **{name: folder_source(name) for name in ("validation", "confirmation", "test", "public")},
            },
        },
        "distillation": {"learning_rate": 0.01, "epochs": 2},
        "space": FEW,
        "search": TINY_SEARCH,
        "confirmation": TINY_CONFIRMATION,
    }


def write(content: Mapping[str, Any], folder: Path, name: str = "mine.yaml") -> Path:
    file = folder / name
    file.write_text(yaml.safe_dump(dict(content), sort_keys=False))
    return file
