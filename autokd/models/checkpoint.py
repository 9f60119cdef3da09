"""Checkpoints that were trained elsewhere: read without running code, as whatever script saved them."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from autokd.core.regular_files import check_unfolded
from autokd.core.text_files import read_text
from autokd.data.sources.labelled_images import checked_size, unreadable
from autokd.errors import PlanError
from autokd.models import inert_pickle
from autokd.models.inert_pickle import NamesCode, Placeholder

StateDict = Mapping[str, Tensor]

_DEEPEST: Final = 4
"""Depth to which state dicts are looked for: a Lightning module's lies at 1, one of several networks at 2."""
_MOST_MAPPINGS: Final = 10_000
_LONGEST: Final = 1_000
"""Entries of a list in which state dicts are looked for."""
_TAR: Final = 257
"""Where a tar archive says that it is one."""
_BEGIN: Final = _TAR + len(b"ustar")
_LARGEST: Final = 2**36
"""Bytes of the largest file of weights."""
_DENSEST: Final = 4
"""How many times its size a file of weights may unfold to: layers may share theirs."""
_BY_MAGIC: Final = {
    b"\x89HDF": "an HDF5 file, as Keras writes them",
    b"\x08\x07\x12": "an ONNX model",
    b"\x08\x08\x12": "an ONNX model",
    b"\x1f\x8b": "compressed by gzip: unpack it, or",
    b"PAR1": "a Parquet file",
    b"GGUF": "a GGUF file",
    b"\x93NUMPY": "one array of NumPy (.npy)",
    b"<": "a web page or another text with tags, not the file of weights",
    b"version https://git-lfs": "a Git LFS pointer: the file itself was not fetched (git lfs pull)",
}


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """The state dicts of a file.

    Attributes:
        found: By the keys under which each lies in the file, joined by `/`; empty if it is the whole file.
        in_order: Arrays without names, in the order of a state dict, as Flower saves them; by keys, too.
        models: Keys of whole models, whose classes are code; they are not read.
    """

    found: Mapping[str, StateDict]
    in_order: Mapping[str, tuple[Tensor, ...]] = field(default_factory=dict)
    models: tuple[str, ...] = ()

    @classmethod
    def of(cls, weights: StateDict) -> Checkpoint:
        """Return a checkpoint that is one state dict."""
        return cls({"": weights})


def read_checkpoint(file: Path) -> Checkpoint:
    """Read all state dicts of a file to the CPU: of safetensors, `torch.save`, or `numpy.savez`.

    The content tells which of these it is. Nothing that a file names is run (`autokd.models.inert_pickle`).

    Raises:
        PlanError: If it holds no state dict, or cannot be read without running its code.
    """
    if file.is_dir():
        raise refused(file, _folder(file))
    size = checked_size(file, most=_LARGEST)
    if not size:
        raise refused(file, "is empty, or was cut off")
    try:
        with file.open("rb") as opened:
            begins = opened.read(_BEGIN)
        if file.name.endswith(".index.json"):
            return Checkpoint.of(_shards(file))
        if begins[8:9] == b"{" and int.from_bytes(begins[:8], "little") < 2**32:
            return Checkpoint.of(safetensors.torch.load_file(file))
        if file.suffix == ".safetensors":
            raise SafetensorError("it does not begin with a header")
    except OSError as error:
        raise unreadable(file, error) from error
    except SafetensorError as error:
        raise refused(file, f"is no safetensors file, or a damaged one ({error})") from error
    for magic, words in _BY_MAGIC.items():
        if begins.startswith(magic):
            raise refused(file, f"is {words}; save model.state_dict() with torch.save or safetensors")
    parts = _in_zip(file)
    names = [part.filename for part in parts]
    _check_unfolded(file, size, sum(part.file_size for part in parts))
    if any(name.endswith(".npy") for name in names):
        return _arrays(file, size)
    if any(name.rpartition("/")[2] == "constants.pkl" for name in names):
        raise refused(file, f"is TorchScript, which is code; convert it where you trust it: {_SCRIPT}")
    if any("/models/" in f"/{name}" and name.endswith(".json") for name in names):
        raise refused(file, f"is a program of torch.export; convert it where you trust it: {_EXPORT}")
    inside = next((name for name in names if name.endswith((".pt", ".pth", ".bin", ".safetensors"))), None)
    if inside is not None or begins[_TAR:] == b"ustar":
        raise refused(
            file, f"is an archive{f' of {inside}' if inside else ''}; unpack it, and name what is in it"
        )
    return _of_torch_save(file, size)


_CONVERT: Final = (
    "import torch; model = {load}; torch.save(model.state_dict(), 'weights.pt')  # runs the file's code"
)
_SCRIPT: Final = _CONVERT.format(load="torch.jit.load('FILE')")
_EXPORT: Final = _CONVERT.format(load="torch.export.load('FILE')")
_DISTRIBUTED: Final = (
    "from torch.distributed.checkpoint.format_utils import dcp_to_torch_save; "
    "dcp_to_torch_save('FILE', 'weights.pt')  # where you trust it"
)
_WHOLE: Final = _CONVERT.format(load="torch.load('FILE', weights_only=False)")


def _folder(folder: Path) -> str:
    """Return why a folder is no checkpoint, and what is."""
    if (folder / ".metadata").exists():
        return f"is a folder of torch.distributed.checkpoint; convert it: {_DISTRIBUTED}"
    usual = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin")
    inside = next((name for name in usual if (folder / name).exists()), None)
    return f"is a folder; name the file in it{f', FILE/{inside}' if inside else ' that holds the weights'}"


def _of_torch_save(file: Path, size: int) -> Checkpoint:
    content = _unpickled(file)
    state_dicts: dict[str, StateDict] = {}
    in_order: dict[str, tuple[Tensor, ...]] = {}
    models: list[str] = []
    mappings = 0
    for path, value in _inside(content, ""):
        if isinstance(value, Placeholder) and isinstance(value.state, dict) and "_modules" in value.state:
            models.append(path)
        elif isinstance(value, Mapping):
            mappings += 1
            if mappings > _MOST_MAPPINGS:
                raise refused(file, "holds mappings within mappings without end; save model.state_dict()")
            _check_unfolded(file, size, sum(map(_bytes, value.values())))
            if tensors := _tensors(value):
                state_dicts[path] = tensors
        elif isinstance(value, list | tuple):
            _check_unfolded(file, size, sum(map(_bytes, value)))
            if arrays := _in_order(value):
                in_order[path] = arrays
    checkpoint = Checkpoint(state_dicts, in_order, models=tuple(models))
    if state_dicts or in_order:
        return checkpoint
    if models:
        raise refused(file, whole_model(checkpoint))
    kind = type(content).__name__
    problem = f"holds a {kind} without a state dict (what it names is not run); save model.state_dict()"
    raise refused(file, problem)


def whole_model(checkpoint: Checkpoint) -> str:
    """Return why a whole model is not read, with the lines that convert it."""
    where = f" under {checkpoint.models[0]!r}" if checkpoint.models[0] else ""
    return f"holds a whole model{where}, whose class is code; convert it where you trust it: {_WHOLE}"


def _inside(value: object, path: str, depth: int = 0) -> Iterator[tuple[str, object]]:
    """Yield a value and what lies in its mappings, lists and objects, with the keys joined by `/`.

    Long lists are those of a history of the training.
    """
    yield path, value
    if depth == _DEEPEST:
        return
    below: Iterable[tuple[object, object]] = ()
    if isinstance(value, Placeholder) and isinstance(value.state, dict):
        if "_modules" not in value.state:
            below = [*value.items(), *value.state.items()]
    elif isinstance(value, Mapping):
        below = value.items()
    elif isinstance(value, list | tuple) and len(value) <= _LONGEST:
        below = enumerate(value)
    for key, entry in below:
        if isinstance(entry, Mapping | list | tuple):
            yield from _inside(entry, f"{path}/{key}".removeprefix("/"), depth + 1)


def _tensors(values: Mapping[Any, Any]) -> StateDict:
    """Return the tensors of a mapping by name; arrays of NumPy become tensors."""
    return {
        name: tensor
        for name, value in values.items()
        if isinstance(name, str) and (tensor := _as_tensor(value)) is not None
    }


def _as_tensor(value: object) -> Tensor | None:
    if isinstance(value, Tensor):
        return value.detach()
    if isinstance(value, np.ndarray) and value.dtype.kind in "fiub":
        return torch.from_numpy(np.array(value))
    return None


def _in_order(values: Any) -> tuple[Tensor, ...]:
    """Return tensors and arrays; none if something else is among them."""
    tensors = [_as_tensor(value) for value in values]
    known = [tensor for tensor in tensors if tensor is not None]
    return tuple(known) if len(known) == len(tensors) else ()


def _arrays(file: Path, size: int) -> Checkpoint:
    """Read `numpy.savez`: arrays by the names of a state dict, or `arr_0`, `arr_1`, ... in its order."""
    try:
        with np.load(file, allow_pickle=False) as opened:
            arrays = {name: opened[name] for name in opened.files}
    except Exception as error:
        # NumPy and zipfile raise errors of many kinds on damaged headers, MemoryError among them.
        problem = f"is no archive of numpy.savez, or damaged ({type(error).__name__})"
        raise refused(file, problem) from error
    if set(arrays) == {f"arr_{number}" for number in range(len(arrays))}:
        return Checkpoint({}, {"": _in_order([arrays[f"arr_{number}"] for number in range(len(arrays))])})
    return Checkpoint.of(_tensors(arrays))


def _shards(file: Path) -> StateDict:
    """Read weights that are divided among several safetensors files, by the index that lists them."""
    try:
        listed = json.loads(read_text(file))["weight_map"]
        names = sorted(set(map(str, listed.values())))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise refused(file, "is no index of weights: it has no weight_map") from error
    weights: dict[str, Tensor] = {}
    for name in names:
        shard = file.parent / Path(name).name
        state_dicts = read_checkpoint(shard).found
        weights |= state_dicts.get("", {})
    return weights


def _in_zip(file: Path) -> list[zipfile.ZipInfo]:
    """Return the parts of an archive; none if it is no archive."""
    try:
        with zipfile.ZipFile(file) as opened:
            return opened.infolist()
    except (OSError, ValueError, zipfile.BadZipFile):
        return []


def _bytes(value: object) -> int:
    """Return the bytes that a value takes once it is written out: a tensor may be expanded, or sparse."""
    if isinstance(value, Tensor):
        return value.numel() * value.element_size()
    return value.nbytes if isinstance(value, np.ndarray) else 0


def _check_unfolded(file: Path, size: int, unfolded: int) -> None:
    try:
        check_unfolded(size, unfolded, factor=_DENSEST)
    except ValueError as error:
        raise refused(file, str(error)) from None


def _unpickled(file: Path) -> object:
    try:
        return inert_pickle.load(file)
    except NamesCode as error:
        problem = f"names {error}, which no weights do; nothing was run. Save model.state_dict()"
        raise refused(file, problem) from error
    except (EOFError, zipfile.BadZipFile) as error:
        raise refused(file, "is cut off") from error
    except Exception as error:
        # torch's readers and pickle raise RuntimeError, OSError, UnicodeDecodeError and others.
        problem = f"is no checkpoint of torch.save, or is cut off or damaged ({type(error).__name__})"
        raise refused(file, problem) from error


def refused(file: Path, problem: str) -> PlanError:
    """Return the error of a checkpoint that cannot be taken; FILE in it stands for its name."""
    return PlanError(source=str(file), problem=problem.replace("FILE", file.name))
