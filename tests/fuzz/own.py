"""What somebody brings along: recipes of own participants, checkpoints, and images in files of every kind."""

from __future__ import annotations

import io
import tempfile
import warnings
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import safetensors.torch
import torch
import yaml
from hypothesis import strategies as st
from PIL import ExifTags, Image, ImageOps
from pydantic import TypeAdapter, ValidationError

from autokd.config.images import ImageShape
from autokd.config.sources import AnySource, Source
from autokd.core.import_factory import call, code_of
from autokd.data.sources import read
from autokd.data.sources.decoding import Decoder, decode_all
from autokd.errors import PlanError
from autokd.models.architectures import Cnn, Shape
from autokd.models.checkpoint import read_checkpoint
from autokd.models.matching import fit
from autokd.models.outputs import logits_in
from autokd.workflows.check import inspect
from tests.fuzz.harness import LONGEST_MESSAGE, Target
from tests.fuzz.odd import damaged, edited

SIZE = 8
CLASSES = ("ant", "bee")
_ORIENTATIONS: tuple[Literal["exif", "stored"], ...] = ("exif", "stored")
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM")


def _pictures(count: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).integers(0, 256, size=(count, SIZE, SIZE, 3), dtype=np.uint8)


def _encoded(array: Any, form: str = "PNG") -> bytes:
    content = io.BytesIO()
    Image.fromarray(array).save(content, format=form)
    return content.getvalue()


@cache
def _images() -> Mapping[str, bytes]:
    made = {form: _encoded(_pictures(1)[0], form) for form in FORMATS}
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    photo = Image.fromarray(_pictures(1)[0])
    for name, image, options in (
        ("turned", photo, {"exif": exif}),
        ("deep", Image.fromarray(_pictures(1)[0, ..., 0].astype(np.uint16) * 257), {}),
        ("palette", photo.quantize(8), {}),
        ("clear", photo.convert("RGBA"), {}),
    ):
        content = io.BytesIO()
        image.save(content, format="PNG", **options)
        made[name] = content.getvalue()
    return made


@cache
def _archives() -> tuple[bytes, ...]:
    made = []
    for save in (np.savez, np.savez_compressed):
        content = io.BytesIO()
        save(content, images=_pictures(6), labels=np.arange(6) % 2, classes=np.array(CLASSES))
        made.append(content.getvalue())
    return tuple(made)


@cache
def _tables() -> tuple[bytes, ...]:
    rows = [{"bytes": _encoded(picture), "path": None} for picture in _pictures(4)]
    made = []
    for compression in ("none", "snappy"):
        content = io.BytesIO()
        pq.write_table(pa.table({"image": rows, "label": [0, 1, 0, 1]}), content, compression=compression)
        made.append(content.getvalue())
    return tuple(made)


@cache
def _network() -> torch.nn.Module:
    return Cnn(widths=(2,)).build(Shape(channels=3, size=SIZE, classes=2))


@cache
def _checkpoints() -> Mapping[str, bytes]:
    new, old = io.BytesIO(), io.BytesIO()
    torch.save(_network().state_dict(), new)
    torch.save(_network().state_dict(), old, _use_new_zipfile_serialization=False)
    state = {name: value.contiguous() for name, value in _network().state_dict().items()}
    return {
        "new.pt": new.getvalue(),
        "old.pt": old.getvalue(),
        "own.safetensors": safetensors.torch.save(state),
    }


def _in_a_file(name: str, use: Callable[[Path], object]) -> Callable[[bytes], object]:
    def write_and_use(content: bytes) -> object:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / name
            file.write_bytes(content)
            return use(file)

    return write_and_use


def _from(kind: str) -> Callable[[Path], object]:
    def use(file: Path) -> None:
        source = TypeAdapter(AnySource).validate_python({"kind": kind, "path": file.name})
        images = read(source, file.parent, ImageShape(size=SIZE))
        assert images.images.shape[2:] == (SIZE, SIZE)
        assert len(images.images) == len(images.labels)
        assert images.labels.max() < len(images.classes)

    return use


def _decode(content: bytes) -> None:
    for orientation in _ORIENTATIONS:
        source = Source(orientation=orientation)
        image = decode_all([(content, "image")], 1, Decoder.of(source, ImageShape()))[0]
        assert image.shape[0] in (1, 3)
        if image.dtype == np.uint8:
            assert np.array_equal(
                image, _plainly(content, upright=orientation == "exif", grey=len(image) == 1)
            )
    wanted = ImageShape(channels=3, pad=(1,), resize=(SIZE + 2,), crop=(SIZE,))
    assert decode_all([(content, "image")], 1, Decoder.of(Source(), wanted)).shape == (1, 3, SIZE, SIZE)


def _plainly(content: bytes, *, upright: bool, grey: bool) -> Any:
    """What Pillow, and so torchvision and `datasets`, reads."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Image.open(io.BytesIO(content)) as image:
            image.load()
            turned = ImageOps.exif_transpose(image) if upright else image
            pixels = np.asarray(turned.convert("RGB").convert("L" if grey else "RGB"))
    return pixels[None] if grey else pixels.transpose(2, 0, 1)


def _load(named_file: tuple[str, bytes]) -> None:
    name, content = named_file
    _in_a_file(name, lambda file: fit(_network(), read_checkpoint(file), file))(content)


@st.composite
def _arrays(draw: st.DrawFn) -> bytes:
    """An archive that is whole, of arrays that nobody asked for."""
    dtypes = ["uint8", "int64", "float32", "float64", "bool", "complex64", "U3", "S2", "M8[s]", "float16"]
    shapes = st.lists(st.integers(0, 9), max_size=5)
    names = draw(st.sets(st.sampled_from(["images", "labels", "classes"])))
    arrays: Any = {
        name: np.zeros(draw(shapes), dtype=draw(st.sampled_from(dtypes))) for name in sorted(names)
    }
    content = io.BytesIO()
    np.savez(content, **arrays)
    return content.getvalue()


RECIPE: dict[str, Any] = {
    "name": "mine",
    "federation": {
        "name": "mine",
        "participants": [
            {
                "architecture": {"name": "cnn", "options": {"widths": [2]}},
                "checkpoint": name,
                "data": {"kind": "npz", "path": f"{part}.npz"},
                "input": {"mean": [0.5], "std": [0.5, 0.5, 0.5]},
                "labels": list(CLASSES),
                "claimed_accuracy": 0.5,
            }
            for name, part in (("new.pt", "first"), ("own.safetensors", "second"))
        ],
        "splits": {"kind": "shared", "data": {"kind": "npz", "path": "third.npz", "start": 0},
                   "validation": 2, "confirmation": 2, "test": 2, "public": 0},
        "images": {"size": SIZE},
        "classes": list(CLASSES),
    },
    "distillation": {"learning_rate": 0.01, "epochs": 2},
    "search": {"stopping": {"rungs": [1]}},
}  # fmt: skip


def _recipe(content: bytes) -> None:
    """As `autokd check` does, with all that the recipe names in place; nothing it says may run code."""
    with tempfile.TemporaryDirectory() as folder:
        for name, written in _checkpoints().items():
            (Path(folder) / name).write_bytes(written)
        for number, name in enumerate(("first", "second", "third")):
            labels = np.arange(8) % 2
            np.savez(
                Path(folder) / f"{name}.npz",
                images=_pictures(8, number),
                labels=labels,
                classes=np.array(CLASSES),
            )
        file = Path(folder) / "mine.yaml"
        file.write_bytes(content)
        for finding in (report := inspect(str(file))).problems + report.warnings:
            assert "\n" not in str(finding)
            assert len(str(finding)) <= LONGEST_MESSAGE
        if report.problems:
            raise report.problems[0]


_sources = st.fixed_dictionaries(
    {"kind": st.sampled_from(["folder", "npz", "parquet", "torchvision", "code", "memory", "hdf5"])},
    optional={
        "path": st.just("a")
        | st.sampled_from(["a", "", "..", "\x00", "a" * 5000, "/dev/null", "/proc/self/mem"]),
        "root": st.sampled_from(["a", "."]),
        "dataset": st.sampled_from(["MNIST", "SVHN", "CIFAR10", "ImageNet"]),
        "factory": st.sampled_from(["nowhere:x", "os:nothing", "a.b", ":", "builtins:object"]),
        "sha256": st.text(max_size=5),
        "start": st.integers(-1, 1) | st.just(2**70),
        "stop": st.integers(-1, 2**70),
        "step": st.integers(-1, 2**70),
        "indices": st.sampled_from(["a", "/dev/null"]),
        "classes": st.lists(st.text(max_size=3), max_size=3),
    },
)


_PROJECT = {
    "networks.py": b"# coding: utf-8\nimport torch, zoo.deep as d\nfrom .layers import mark\nmake = mark\n",
    "layers.py": b"import importlib\nfrom zoo import *\nmark = lambda: importlib.import_module('zoo.deep')\n",
    "zoo/__init__.py": b"from . import deep\n__all__ = ['deep']\n",
    "zoo/deep.py": b"from ..layers import mark as other\n",
}


def _project(named_file: tuple[str, bytes]) -> None:
    """As opening a federation does; imported only if that does what it did before."""
    name, content = named_file
    with tempfile.TemporaryDirectory() as folder:
        for file, written in (_PROJECT | {name: content}).items():
            (Path(folder) / file).parent.mkdir(exist_ok=True)
            (Path(folder) / file).write_bytes(written)
        code = code_of("networks:make", Path(folder))
        assert code.digests.keys() <= _PROJECT.keys()
        if content.startswith(_PROJECT[name]):
            call("networks:make", {}, code)


_answers = st.recursive(
    st.none()
    | st.integers()
    | st.text(max_size=3)
    | st.lists(st.integers(0, 3), max_size=5).map(torch.zeros),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.sampled_from(["logits", "loss", "out"]), inner)
        | inner.map(lambda logits: SimpleNamespace(logits=logits))
    ),
)


def _logits(answers: Any) -> None:
    logits = logits_in(answers)
    assert logits.ndim == 2
    assert logits is answers or not isinstance(answers, torch.Tensor)


def _source(fields: Mapping[str, Any]) -> None:
    try:
        source = TypeAdapter(AnySource).validate_python(fields)
    except ValidationError as error:
        raise PlanError(source="data", field="", problem="is no source") from error
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "a" / "ant").mkdir(parents=True)
        (Path(folder) / "a" / "ant" / "0.png").write_bytes(_images()["PNG"])
        read(source, Path(folder), ImageShape())


def _odd_recipes() -> st.SearchStrategy[bytes]:
    odd = edited(RECIPE).map(
        lambda recipe: yaml.safe_dump(recipe, sort_keys=False, allow_unicode=True).encode()
    )
    return odd | odd | odd | damaged(yaml.safe_dump(RECIPE, sort_keys=False).encode())


TARGETS = (
    Target(
        "own code",
        st.sampled_from(sorted(_PROJECT)).flatmap(
            lambda name: (damaged(_PROJECT[name]) | st.binary(max_size=80)).map(
                lambda content: (name, content)
            )
        ),
        _project,
    ),
    Target("answers of a network", _answers, _logits),
    Target("own recipe", _odd_recipes(), _recipe),
    Target("source", _sources, _source),
    Target(
        "checkpoint",
        st.sampled_from(sorted(_checkpoints())).flatmap(
            lambda name: (damaged(_checkpoints()[name]) | st.binary(max_size=80)).map(
                lambda content: (name, content)
            )
        ),
        _load,
    ),
    Target(
        "archive",
        st.sampled_from(_archives()).flatmap(damaged) | _arrays() | st.binary(max_size=80),
        _in_a_file("own.npz", _from("npz")),
    ),
    Target(
        "table of images",
        st.sampled_from(_tables()).flatmap(damaged) | st.binary(max_size=80),
        _in_a_file("own.parquet", _from("parquet")),
    ),
    Target(
        "image",
        st.sampled_from(sorted(_images())).flatmap(lambda form: damaged(_images()[form]))
        | st.binary(max_size=80),
        _decode,
    ),
)
