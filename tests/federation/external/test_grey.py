"""Colour images for a network that takes grey: the two usual ways to make them so are told apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from autokd.compute.device import Compute
from autokd.config.external import ExternalFederation
from autokd.config.images import Input
from autokd.data.dataset import Dataset
from autokd.federation.external import load_external
from autokd.federation.findings import Findings
from autokd.federation.readings import in_whole_grey
from autokd.models.architectures import Cnn, Shape

BT_601 = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
PARTS = ("private0", "private1", "validation", "confirmation", "test")
DARK = Input(channels=1)


def pillow(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """What `Image.convert("L")` makes of colour images, shape (n, height, width)."""
    return np.stack([np.asarray(Image.fromarray(np.moveaxis(image, 0, -1)).convert("L")) for image in images])


def dark(seed: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Very dark colour images, whose brightness says their class and hardly shows in whole numbers."""
    draw = np.random.default_rng(seed)
    labels = np.arange(120) % 4
    images = draw.integers(0, 4, (120, 3, 8, 8)) + (labels % 2)[:, None, None, None]
    return images.astype(np.uint8), labels


def trained(of: Tensor, labels: NDArray[np.int64]) -> nn.Module:
    torch.manual_seed(0)
    network = Cnn(widths=(4,)).build(Shape(channels=1, size=8, classes=4))
    optimizer = torch.optim.Adam(network.parameters(), lr=0.02)
    for _ in range(200):
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(of), torch.from_numpy(labels)).backward()
        optimizer.step()
    return network.eval()


def checked(folder: Path, images: dict[str, Any], network: nn.Module, wanted: int | None) -> Findings:
    for name in PARTS:
        np.savez(folder / f"{name}.npz", **images[name])
    torch.save(network.state_dict(), folder / "model.pt")

    def source(name: str) -> dict[str, str]:
        return {"kind": "npz", "path": str(folder / f"{name}.npz")}

    participant = {
        "architecture": {"name": "cnn", "options": {"widths": [4]}},
        "checkpoint": str(folder / "model.pt"),
        "input": {} if wanted is None else {"channels": wanted, "std": [0.01]},
    }
    recipe = {
        "name": "grey",
        "participants": [{**participant, "data": source(f"private{number}")} for number in (0, 1)],
        "splits": {"kind": "separate", **{name: source(name) for name in PARTS[2:]}},
    }
    findings = Findings("mine.yaml")
    load_external(ExternalFederation.model_validate(recipe), Compute(), findings)
    return findings


def test_both_ways_are_told_as_pytorch_and_pillow_measure_them(tmp_path: Path) -> None:
    drawn = {name: dark(seed) for seed, name in enumerate(PARTS)}
    data = {name: {"images": images, "labels": labels} for name, (images, labels) in drawn.items()}
    images, labels = drawn["private0"]
    of_tensors = (torch.from_numpy(images).float().div(255) * BT_601).sum(1, keepdim=True) / 0.01
    of_bytes = torch.from_numpy(pillow(images)).float().div(255)[:, None] / 0.01
    network = trained(of_bytes, labels)
    with torch.no_grad():
        right = [float((network(x).argmax(1).numpy() == labels).mean()) for x in (of_tensors, of_bytes)]
    assert right[1] - right[0] > 0.005
    findings = checked(tmp_path, data, network, 1)
    (said,) = [str(finding) for finding in findings.warnings if "participants.0.input" in str(finding)]
    assert f"{right[0]:.2%} of its own data" in said
    assert f"it would be {right[1]:.2%}" in said
    assert "say federation.images: {channels: 1}" in said


@pytest.mark.parametrize("kind", ["floats", "grey"])
def test_where_nothing_is_rounded_nothing_is_said(tmp_path: Path, kind: str) -> None:
    images, labels = dark(0)
    stored = (images / 255).astype(np.float32) if kind == "floats" else pillow(images)
    network = trained(torch.from_numpy(pillow(images)).float()[:, None], labels)
    data = {name: {"images": stored, "labels": labels} for name in PARTS}
    findings = checked(tmp_path, data, network, 1)
    assert not [finding for finding in findings.warnings if "Grayscale" in str(finding)]


@given(arrays(np.uint8, (2, 3, 4, 4), elements=st.integers(0, 255)))
def test_whole_grey_is_pillows(images: NDArray[np.uint8]) -> None:
    data = _dataset(images)
    reading = in_whole_grey(DARK, data)
    assert reading is not None
    changed = reading.change(torch.from_numpy(images).float() / 255)
    assert np.array_equal((changed * 255).round().numpy().astype(np.uint8)[:, 0], pillow(images))


def _dataset(images: NDArray[np.uint8]) -> Dataset:
    return Dataset(
        images=images,
        labels=np.zeros(len(images), dtype=np.int64),
        classes=("a", "b"),
        mean=(0.5,) * 3,
        std=(0.5,) * 3,
    )
