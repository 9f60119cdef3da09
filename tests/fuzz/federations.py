"""A prepared federation's folder in which somebody has changed something, by accident or with care.

With care: names, shapes and values in the files are others, and every hash is again what it should be.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
from hypothesis import strategies as st

from autokd.core.setting import Pair, Split
from autokd.data.dataset import Dataset
from autokd.federation.federation import Federation
from autokd.federation.hashing import Hashes, assemble, digest
from autokd.federation.layout import Layout
from autokd.federation.pretraining import Pretrained
from autokd.federation.storage import federations_folder, load, save
from autokd.models.building import build
from autokd.models.weights import weights_of
from autokd.search.pair_features import pair_features
from tests.federation.conftest import make_recipe
from tests.fuzz.harness import Target
from tests.fuzz.odd import damaged, edited

_FILES = ("data.safetensors", "layout.safetensors", "logits.safetensors", "participants/0.safetensors")


def small() -> Federation:
    """Of few random images, and of networks that nobody has trained."""
    recipe = make_recipe()
    rng = np.random.default_rng(0)
    parts = np.split(np.arange(40), [6, 12, 18, 22, 28, 34])
    data = Dataset(
        images=rng.integers(0, 16, size=(40, 1, 8, 8), dtype=np.uint8),
        labels=np.arange(40, dtype=np.int64) % 10,
        classes=tuple("0123456789"),
        mean=(5.0,),
        std=(6.0,),
    )
    layout = Layout(
        splits=dict(zip(Split, parts[:3], strict=True)),
        public=parts[3],
        private=(parts[4], parts[5], parts[6]),
    )
    pretrained = [
        Pretrained(
            weights=weights_of(
                build(recipe.architecture(number), channels=1, size=8, classes=10, seed=number)
            ),
            logits=rng.normal(size=(40, 10)).astype(np.float32),
        )
        for number in range(3)
    ]
    return assemble(recipe, data, layout, pretrained)


@cache
def _saved() -> Mapping[str, bytes]:
    federation = small()
    with tempfile.TemporaryDirectory() as home:
        folder = federations_folder(Path(home)) / federation.name
        save(federation, folder)
        return {
            str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()
        }


@dataclass(frozen=True)
class Array:
    """Another array under some name of a file."""

    file: str
    name: str
    value: Any


_DTYPES = ["uint8", "int64", "float32", "float64", "bool", "int8", "uint64", "float16", "complex64", "int32"]


@st.composite
def _arrays(draw: st.DrawFn) -> Array:
    file = draw(st.sampled_from(_FILES))
    there = safetensors.numpy.load(_saved()[file])
    name = draw(st.sampled_from(sorted(there)) | st.text(max_size=4))
    old = there.get(name, np.zeros(3))
    value: Any
    match draw(st.sampled_from(["value", "dtype", "shape", "cut", "gone"])):
        case "value" if old.size:
            value = old.copy()
            odd: list[Any] = [0, 1, 2, 9, 10, 39, 40, 250]
            odd += [-1, 2**62] if value.dtype == np.int64 else []
            odd += [np.nan, np.inf, 1e30] if value.dtype.kind == "f" else []
            value.flat[draw(st.integers(0, value.size - 1))] = draw(st.sampled_from(odd))
        case "dtype":
            with np.errstate(all="ignore"):
                value = old.astype(draw(st.sampled_from(_DTYPES)))
        case "shape":
            shape = draw(st.lists(st.integers(0, 3), max_size=5))
            value = np.zeros(shape, dtype=old.dtype)
        case "cut":
            value = old[: draw(st.integers(0, 2))] if old.ndim else old
        case _:
            value = None
    return Array(file, name, value)


def _folders() -> st.SearchStrategy[Mapping[str, bytes]]:
    """Files of a folder by name, of which one is damaged, or says something else."""
    saved = _saved()

    def with_file(name: str) -> st.SearchStrategy[Mapping[str, bytes]]:
        return (damaged(saved[name]) | st.binary(max_size=80)).map(lambda content: {**saved, name: content})

    manifest = json.loads(saved["manifest.json"])
    manifests = edited(manifest).map(lambda content: {**saved, "manifest.json": json.dumps(content).encode()})
    header = st.sampled_from(_FILES).flatmap(_with_header)
    return st.sampled_from([*_FILES, "manifest.json"]).flatmap(with_file) | manifests | header


def _with_header(name: str) -> st.SearchStrategy[Mapping[str, bytes]]:
    """A safetensors file: eight bytes of length, a header in JSON, and the values."""
    content = _saved()[name]
    length = int.from_bytes(content[:8], "little")
    header, values = json.loads(content[8 : 8 + length]), content[8 + length :]

    def written(odd: object) -> Mapping[str, bytes]:
        text = json.dumps(odd).encode()
        return {**_saved(), name: len(text).to_bytes(8, "little") + text + values}

    kinds = st.sampled_from(["F32", "BF16", "F8_E4M3", "F4", "BOOL", "U64", "I8"])
    return edited(header, kinds | st.integers(-1, 99) | st.lists(st.integers(0, 2**40), max_size=3)).map(
        written
    )


def _read(files: Mapping[str, bytes]) -> None:
    with tempfile.TemporaryDirectory() as home:
        folder = federations_folder(Path(home)) / small_name()
        _write(files, folder)
        _use(load(folder))


def _read_rehashed(change: Array) -> None:
    """What somebody would make who knows how names and hashes come about."""
    with tempfile.TemporaryDirectory() as home:
        folder = federations_folder(Path(home)) / small_name()
        _write(_saved(), folder)
        _apply(change, folder)
        _use(load(_rehash(folder)))


def _apply(change: Array, folder: Path) -> None:
    arrays = safetensors.numpy.load((folder / change.file).read_bytes())
    if change.value is None:
        arrays.pop(change.name, None)
    else:
        arrays[change.name] = np.ascontiguousarray(change.value)
    (folder / change.file).write_bytes(safetensors.numpy.save(arrays))


def _rehash(folder: Path) -> Path:
    """The folder under the name that its content has now."""
    manifest = json.loads((folder / "manifest.json").read_text())
    data, layout, logits = (safetensors.numpy.load((folder / name).read_bytes()) for name in _FILES[:3])
    weights = [
        digest(safetensors.numpy.load((folder / f"participants/{number}.safetensors").read_bytes()))
        for number in range(3)
    ]
    hashes = Hashes(
        data=digest(_of(data, "images", "labels")),
        layout=digest(_of(layout, *map(str, Split), "public", *(f"private.{number}" for number in range(3)))),
        weights=tuple(weights),
        logits=digest(_of(logits, "logits")),
    )
    recipe, nothing = make_recipe(), np.zeros(0, dtype=np.int64)
    name = hashes.name(
        recipe, Dataset(images=nothing.astype(np.uint8), labels=nothing, **manifest["meaning"])
    )
    rehashed = manifest | {"sha256": hashes.model_dump(mode="json"), "name": name}
    (folder / "manifest.json").write_text(json.dumps(rehashed))
    return folder.rename(folder.parent / name)


def _of(arrays: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    return {name: arrays[name] for name in names if name in arrays}


def _use(federation: Federation) -> None:
    """What every command does with a federation first."""
    federation.facts()
    pair_features(federation, Pair(0, 1))


@cache
def small_name() -> str:
    return small().name


def _write(files: Mapping[str, bytes], folder: Path) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


TARGETS = (
    Target("federation, damaged", st.deferred(_folders), _read),
    Target("federation, forged", st.deferred(_arrays), _read_rehashed),
)
