"""Whole recipes of somebody's own models, of any layout: each accuracy is that of a plain loop, or refused.

What is drawn is how images, labels, classes and outputs are written down. The plain loop reads the same
arrays, asks the network for one image after the other, and counts.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
import yaml
from hypothesis import strategies as st
from PIL import Image
from torch import nn
from torchvision import transforms

from autokd.workflows.check import inspect
from tests.fuzz.harness import Target

_SIZE: Final = 8
_CLOSE: Final = 1e-4
_COUNT: Final = 15
_NAMES: Final = {
    "words": ["ant", "bee", "cat"],
    "numbers": ["0", "1", "2"],
    "accents": ["K\u00e4fer", "b\u00eate", "\u00f6"],
}
_DECOMPOSED: Final = {"K\u00e4fer": "Ka\u0308fer", "b\u00eate": "be\u0302te", "\u00f6": "o\u0308"}
_NETWORKS: Final = """
from types import SimpleNamespace

import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, channels, classes, answer):
        super().__init__()
        self.answer = answer
        self.body = nn.Sequential(nn.Conv2d(channels, 6, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(2))
        self.head = nn.Linear(24, classes)

    def forward(self, images):
        logits = self.head(self.body(images).flatten(1))
        match self.answer:
            case "tuple":
                return logits, images
            case "list":
                return [logits]
            case "dict":
                return {"logits": logits, "features": images}
            case "object":
                return SimpleNamespace(logits=logits)
        return logits
"""


@dataclass(frozen=True)
class Case:
    """How participant 0 writes down what it has."""

    seed: int
    source: str
    pixels: str
    channels: int
    labels: str
    names: str
    decomposed: bool
    outputs: tuple[int, ...]
    mapping: bool
    answer: str
    columns: tuple[str, str]
    normalised: bool
    scalar: bool
    geometry: str
    width: int


_GEOMETRY: Final[Mapping[str, tuple[dict[str, Any], list[Any]]]] = {
    "none": ({}, []),
    "crop": ({"crop": 6}, [transforms.CenterCrop(6)]),
    "resize": ({"resize": [10, 10]}, [transforms.Resize((10, 10))]),
    "pad": ({"pad": 2}, [transforms.Pad(2)]),
    "resize to a rectangle": ({"resize": [10, 6]}, [transforms.Resize((10, 6))]),
    "crop a rectangle": ({"crop": [4, 9]}, [transforms.CenterCrop((4, 9))]),
    "pad the sides": ({"pad": [2, 0]}, [transforms.Pad((2, 0))]),
    "resize and crop": ({"resize": 12, "crop": 8}, [transforms.Resize(12), transforms.CenterCrop(8)]),
}
_cases = st.builds(
    Case,
    seed=st.integers(0, 50),
    source=st.sampled_from(["npz", "npz", "folder", "parquet", "shards"]),
    pixels=st.sampled_from(["bytes", "bytes", "floats", "floats255", "twelve bits", "sixteen bits"]),
    channels=st.sampled_from([1, 3]),
    labels=st.sampled_from(["int64", "int32", "uint8", "float32", "halves", "minus"]),
    names=st.sampled_from(sorted(_NAMES)),
    decomposed=st.booleans(),
    outputs=st.permutations(range(3)).map(tuple),
    mapping=st.booleans(),
    answer=st.sampled_from(["tensor", "tensor", "tuple", "list", "dict", "object"]),
    columns=st.sampled_from([("image", "label"), ("img", "fine_label"), ("label", "image")]),
    normalised=st.booleans(),
    scalar=st.booleans(),
    geometry=st.sampled_from(["none", "none", *_GEOMETRY]),
    width=st.sampled_from([_SIZE, _SIZE, 5, 11]),
)


def _net(case: Case) -> nn.Module:
    namespace: dict[str, Any] = {"__name__": "networks"}
    exec(_compiled(), namespace)  # The text above.
    torch.manual_seed(case.seed)
    net: nn.Module = namespace["Net"](case.channels, 3, "tensor").eval()
    return net


@cache
def _compiled() -> Any:
    return compile(_NETWORKS, "networks.py", "exec")


def _data(case: Case) -> tuple[Any, Any]:
    """Images (n, height, width, channels) as they are stored, and labels as they are stored."""
    rng = np.random.default_rng(case.seed)
    shape = (_COUNT, _SIZE, case.width, case.channels)
    images: Any = {
        "bytes": lambda: rng.integers(0, 256, shape, dtype=np.uint8),
        "floats": lambda: rng.random(shape, dtype=np.float32),
        "floats255": lambda: rng.random(shape, dtype=np.float32) * 255,
        "twelve bits": lambda: rng.integers(0, 4096, shape, dtype=np.uint16),
        "sixteen bits": lambda: rng.integers(0, 65536, shape, dtype=np.uint16),
    }[case.pixels]()
    labels: Any = np.arange(_COUNT) % 3
    if case.labels == "halves":
        return images, labels + 0.5
    if case.labels == "minus":
        labels[0] = -1
        return images, labels
    return images, labels.astype(case.labels)


def _can_be(case: Case) -> bool:
    """Whether such data can be written down, and a plain loop is clear about them."""
    if case.geometry != "none" and case.pixels != "bytes":
        return False  # torchvision scales such arrays in several ways.
    if case.source == "npz":
        return True
    deep = "bits" in case.pixels and case.channels == 3
    return not (
        case.pixels.startswith("floats") or deep or (case.source == "folder" and case.labels != "int64")
    )


def _write(case: Case, folder: Path, images: Any, labels: Any) -> dict[str, Any]:
    """Write the data; return its source in the recipe."""
    names = _spelt(case)
    bits = {"twelve bits": {"bits": 12}, "sixteen bits": {"bits": 16}}.get(case.pixels, {})
    if case.source == "npz":
        np.savez(folder / "own.npz", images=images[..., 0] if case.channels == 1 else images, labels=labels)
        return {"kind": "npz", "path": "own.npz", "classes": names, **bits}
    files = [_png(image) for image in images]
    if case.source == "folder":
        for number, (content, label) in enumerate(zip(files, labels, strict=True)):
            file = folder / "own" / names[int(label)] / f"{number}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        return {"kind": "folder", "path": "own", **bits}
    (folder / "own").mkdir()
    image, label = case.columns
    # Names that are found by what is in them need not be said.
    columns = {"image": image, "label": label} if image == "label" else {}
    halves = [slice(0, 8), slice(8, None)] if case.source == "shards" else [slice(None)]
    for number, part in enumerate(halves):
        rows = pa.table(
            {image: [{"bytes": content, "path": None} for content in files[part]], label: labels[part]}
        )
        pq.write_table(rows, folder / "own" / f"{number}.parquet")
    path = "own" if case.source == "shards" else "own/0.parquet"
    return {"kind": "parquet", "path": path, "classes": names, **columns, **bits}


def _png(image: Any) -> bytes:
    content = io.BytesIO()
    Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(content, format="PNG")
    return content.getvalue()


def _spelt(case: Case) -> list[str]:
    names = _NAMES[case.names]
    return [_DECOMPOSED.get(name, name) for name in names] if case.decomposed else names


def _scale(case: Case) -> tuple[Any, Any]:
    if not case.normalised:
        return 0.0, 1.0
    return (0.4, 0.3) if case.scalar else ([0.4] * case.channels, [0.3] * case.channels)


def _plain(case: Case, images: Any, labels: Any) -> tuple[int, int]:
    """How many a plain loop over the same arrays finds right, and of how many the last bit decides."""
    _, steps = _GEOMETRY[case.geometry]
    divisor = {"bytes": 255, "twelve bits": 4095, "sixteen bits": 65535}.get(case.pixels, 1)
    net, (mean, std), right, close = _net(case), (0.4, 0.3) if case.normalised else (0.0, 1.0), 0, 0
    for image, label in zip(images, labels, strict=True):
        if steps:
            pillow = Image.fromarray(image[..., 0] if case.channels == 1 else image)
            pixels = np.asarray(transforms.Compose(steps)(pillow))
            image = pixels.reshape(*pixels.shape[:2], case.channels)
        values = torch.tensor(image.astype(np.float64) / divisor, dtype=torch.float32).permute(2, 0, 1)
        with torch.no_grad():
            logits = net((values[None] - mean) / std)
        best, second = logits[0].topk(2).values.tolist()
        close += best - second < _CLOSE * max(1.0, abs(best))
        right += case.outputs[int(logits.argmax())] == int(label)
    return right, close


def _recipe(case: Case, source: dict[str, Any]) -> dict[str, Any]:
    names = _NAMES[case.names]
    meant = [names[output] for output in case.outputs]
    mean, std = _scale(case)
    own = {
        "architecture": {
            "name": "networks:Net",
            "options": {"channels": case.channels, "classes": 3, "answer": case.answer},
        },
        "checkpoint": "own.pt",
        "data": source,
        "input": {"mean": mean, "std": std, "channels": case.channels},
        "labels": dict(enumerate(meant)) if case.mapping else meant,
    }
    other = {
        "architecture": {"name": "cnn", "options": {"widths": [2]}},
        "checkpoint": "other.pt",
        "data": {"kind": "npz", "path": "other.npz", "classes": names},
    }
    splits = {name: {"kind": "npz", "path": f"{name}.npz", "classes": names} for name in _SPLITS}
    images, _ = _GEOMETRY[case.geometry]
    return {
        "name": "mine",
        "federation": {
            "name": "mine",
            "participants": [own, other],
            "splits": {"kind": "separate", **splits},
            "images": {"channels": case.channels, **images},
        },
        "distillation": {"learning_rate": 0.01, "epochs": 2},
        "search": {"stopping": {"rungs": [1]}},
    }


_SPLITS: Final[Sequence[str]] = ("validation", "confirmation", "test")


def _read(case: Case) -> None:
    from autokd.models.architectures import Cnn, Shape

    images, labels = _data(case)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "networks.py").write_text(_NETWORKS)
        torch.save(_net(case).state_dict(), folder / "own.pt")
        shape = Shape(channels=case.channels, size=_SIZE, classes=3)
        torch.save(Cnn(widths=(2,)).build(shape).state_dict(), folder / "other.pt")
        for number, name in enumerate(("other", *_SPLITS)):
            rng = np.random.default_rng(1000 + number)
            drawn = rng.integers(0, 256, (12, _SIZE, case.width, case.channels), dtype=np.uint8)
            grey = drawn[..., 0] if case.channels == 1 else drawn
            np.savez(folder / f"{name}.npz", images=grey, labels=np.arange(12) % 3)
        source = _write(case, folder, images, labels)
        file = folder / "mine.yaml"
        file.write_text(yaml.safe_dump(_recipe(case, source), sort_keys=False, allow_unicode=True))
        findings = inspect(str(file))
    if findings.problems:
        raise findings.problems[0]
    assert findings.members[0].private == len(labels)
    measured, (right, close) = findings.members[0].accuracy, _plain(case, images, labels)
    assert measured is not None
    assert abs(round(measured * len(labels)) - right) <= close, (measured, right, close)


TARGETS = (Target("accuracy of an own model", _cases.filter(_can_be), _read),)
