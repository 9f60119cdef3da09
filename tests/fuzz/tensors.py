"""Inputs of any shape and type that are no images: each accuracy is that of a plain loop, or refused.

What is drawn is how numbers, labels and classes are written down, and what the network takes. The plain loop
asks the network for one example after the other, as float32, or as int64 for whole numbers. What is plainly
good must be accepted, so a refusal of it is a crash.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Mapping
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
from torch import nn

from autokd.models.architectures import Mlp, TensorShape
from autokd.workflows.check import inspect
from tests.fuzz.harness import Target

_CLOSE: Final = 1e-4
_COUNT: Final = 15
_IDS: Final = 30
_CLASSES: Final = ("ant", "bee", "cat")
_SPLITS: Final = ("validation", "confirmation", "test")
_SHAPES: Final = ((6,), (1,), (3, 4), (2, 3, 4), (1, 5), (2, 2, 2, 2))
_FLOATS: Final = ("float16", "float32", "float64", "bool")
_WHOLE: Final = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint64")
_ODD_TYPES: Final = ("complex64", "U3", "M8[s]", "longdouble")
_OF_TABLES: Final = ("lists", "fixed lists", "columns")
_CODE: Final = """
from types import SimpleNamespace

import numpy as np
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, size, ids, answer):
        super().__init__()
        self.answer = answer
        self.body = nn.Embedding(ids, 4) if ids else nn.Linear(size, 4)
        self.head = nn.Linear(4, 3)

    def forward(self, inputs):
        assert inputs.dtype in (torch.float32, torch.int64), inputs.dtype
        flat = inputs.flatten(1)
        if isinstance(self.body, nn.Embedding):
            hidden = self.body(flat).mean(dim=1)
        else:
            hidden = self.body(flat.float() / 8).relu()
        logits = self.head(hidden)
        match self.answer:
            case "tuple":
                return logits, hidden
            case "dict":
                return {"logits": logits, "hidden": hidden}
            case "object":
                return SimpleNamespace(logits=logits)
        return logits


class Rows:
    def __init__(self, path, form):
        with np.load(path) as file:
            self.inputs, self.labels = file["inputs"], file["labels"]
        self.form = form

    def __len__(self):
        return len(self.inputs)

    def __getitem__(self, number):
        values, label = self.inputs[number], self.labels[number]
        match self.form:
            case "mapping":
                return {"input_ids": values, "label": label}
            case "tensor":
                # A tensor holds no names.
                return torch.tensor(values), label if label.dtype.kind == "U" else torch.tensor(label)
            case "list":
                return values.tolist(), label.item()
        return values, label
"""


@dataclass(frozen=True)
class Case:
    """How participant 0 writes down what it has, and all others the same numbers."""

    seed: int
    source: str
    shape: tuple[int, ...]
    kind: str
    labels: str
    inputs: str
    outputs: tuple[int, ...]
    answer: str
    normalised: str
    odd: str
    vector: bool


def _can_be(case: Case) -> bool:
    """Whether such numbers can be written down so."""
    # Arrow has no wider floating-point numbers and no complex ones.
    return not (case.kind in ("longdouble", "complex64") and case.source in _OF_TABLES)


_cases = st.builds(
    Case,
    seed=st.integers(0, 50),
    source=st.sampled_from(["npz", "npz packed", "lists", "fixed lists", "columns", "code", "mapping"])
    | st.sampled_from(["tensor", "list"]),
    shape=st.sampled_from([*_SHAPES, ()]),
    kind=st.sampled_from([*_FLOATS, *_WHOLE, *_FLOATS, *_WHOLE, "ids", "ids", *_ODD_TYPES]),
    labels=st.sampled_from(["int64", "int64", "uint8", "float32", "names", "halves", "minus"]),
    inputs=st.sampled_from(["inputs", "inputs", "input_ids", "x y"]),
    outputs=st.permutations(range(3)).map(tuple),
    answer=st.sampled_from(["tensor", "tensor", "tuple", "dict", "object"]),
    normalised=st.sampled_from(["no", "no", "one", "each"]),
    odd=st.sampled_from(["no"] * 6 + ["nan", "infinite", "large", "ragged", "missing", "empty", "one off"]),
    vector=st.booleans(),
)


def _size(case: Case) -> int:
    return math.prod(case.shape)


def _is_whole(case: Case) -> bool:
    return case.kind == "ids" or case.kind in _WHOLE


def _draw(case: Case, count: int, seed: int) -> Any:
    """Numbers of the case's type, shape (count, *shape)."""
    rng = np.random.default_rng(seed)
    shape = (count, *case.shape)
    if case.kind == "ids":
        return rng.integers(0, _IDS, shape)
    if case.kind == "U3":
        return rng.integers(0, 9, shape).astype("U3")
    if case.kind == "bool":
        return rng.random(shape) < 0.5
    if case.kind in _WHOLE or case.kind == "M8[s]":
        low = 0 if case.kind.startswith("u") else -20
        return rng.integers(low, 100, shape).astype(case.kind)
    return rng.normal(1, 3, shape).astype(case.kind)


def _spoilt(case: Case, numbers: Any) -> Any:
    """The same with a number that nobody can use; as it was where its type holds none."""
    place = (3, *(0 for _ in case.shape))
    if case.kind in ("float16", "float32", "float64"):
        if case.odd in ("nan", "infinite"):
            numbers[place] = math.nan if case.odd == "nan" else -math.inf
        elif case.odd == "large" and case.kind == "float64":
            numbers[place] = 1e300
    elif case.kind == "uint64" and case.odd == "large":
        numbers[place] = 2**64 - 1
    elif case.kind == "ids" and case.odd == "one off":
        numbers[place] = _IDS
    return numbers


def _is_good(case: Case, numbers: Any) -> bool:
    """Whether nobody could mean something else by it."""
    in_table = case.source in _OF_TABLES
    return not (
        case.kind in _ODD_TYPES
        or case.labels in ("halves", "minus")
        or (case.odd in ("ragged", "missing") and in_table)
        or (case.odd == "empty")
        or (case.odd == "one off" and case.kind == "ids")
        or (numbers.dtype.kind == "f" and not (abs(numbers) < np.finfo(np.float32).max).all())
        or (case.kind == "uint64" and case.odd == "large")
        or (case.normalised == "each" and not case.shape)
        or (case.normalised != "no" and case.kind == "ids")
        or (case.source == "columns" and case.kind == "float16")
    )


def _labels(case: Case, count: int) -> Any:
    labels = np.arange(count) % 3
    match case.labels:
        case "halves":
            return labels + 0.5
        case "minus":
            return np.where(labels == 0, -1, labels)
        case "names":
            return np.array(_CLASSES)[labels]
    return labels.astype(case.labels)


def _column(case: Case, numbers: Any) -> Any:
    """An Arrow array of lists, as deep as the shape says."""
    nested = numbers.tolist()
    is_fixed = case.source == "fixed lists"
    if case.odd == "ragged" and case.shape and not is_fixed and nested:
        nested[2] = nested[2] + nested[2]
    if case.odd == "missing" and nested:
        nested[2] = None
    if not is_fixed:
        return pa.array(nested)
    kind = pa.from_numpy_dtype(numbers.dtype)
    for length in reversed(case.shape):
        kind = pa.list_(kind, length)
    return pa.array(nested, kind)


def _write(case: Case, folder: Path, name: str, numbers: Any, labels: Any) -> dict[str, Any]:
    """Write numbers and labels; return their source in the recipe."""
    named = {} if case.labels == "names" else {"classes": list(_CLASSES)}
    source = {"values": "tensor", **named}
    if case.source in _OF_TABLES:
        columns = {case.inputs: _column(case, numbers)}
        wanted: Any = case.inputs
        if case.source == "columns":
            flat = numbers.reshape(len(numbers), max(1, _size(case))).T
            columns = {f"c{number}": pa.array(column.tolist()) for number, column in enumerate(flat)}
            wanted = list(columns)
            # The order in the file is another one than that of the recipe.
            columns = dict(reversed(columns.items()))
        pq.write_table(pa.table({"label": pa.array(labels.tolist()), **columns}), folder / f"{name}.parquet")
        return {"kind": "parquet", "path": f"{name}.parquet", "inputs": wanted, **source}
    of_code = not case.source.startswith("npz")
    save = np.savez_compressed if case.source == "npz packed" else np.savez
    array = "inputs" if of_code else case.inputs
    save(folder / f"{name}.npz", **{array: numbers, "labels": labels})
    if not of_code:
        return {"kind": "npz", "path": f"{name}.npz", "inputs": case.inputs, **source}
    options = {"path": str(folder / f"{name}.npz"), "form": case.source}
    return {"kind": "code", "factory": "mine:Rows", "options": options, **source}


@cache
def _compiled() -> Any:
    return compile(_CODE, "mine.py", "exec")


def _net(case: Case, shape: tuple[int, ...]) -> nn.Module:
    torch.manual_seed(case.seed)
    if case.vector:
        return Mlp(widths=(4,)).build(TensorShape(shape, 3, whole=_is_whole(case))).eval()
    namespace: dict[str, Any] = {"__name__": "mine"}
    exec(_compiled(), namespace)  # The text above.
    net: nn.Module = namespace["Net"](math.prod(shape), _ids(case), "tensor").eval()
    return net


def _ids(case: Case) -> int:
    return _IDS if case.kind == "ids" else 0


def _shape(case: Case) -> tuple[int, ...]:
    """Shape of an input as a network gets it."""
    if case.source == "columns":
        return (max(1, _size(case)),)
    return case.shape or (1,)


def _scale(case: Case) -> Mapping[str, Any]:
    if case.normalised == "no":
        return {}
    entries = 1 if case.normalised == "one" else _shape(case)[0]
    mean, std = [0.5 + entry for entry in range(entries)], [2.0 + entry for entry in range(entries)]
    return {"mean": mean, "std": std} if entries > 1 else {"mean": mean[0], "std": std[0]}


def _plain(case: Case, numbers: Any, labels: Any) -> tuple[int, int]:
    """How many a plain loop finds right, and of how many the last bit decides."""
    net, right, close = _net(case, _shape(case)), 0, 0
    scale = _scale(case)
    for values, label in zip(numbers, labels, strict=True):
        example = torch.tensor(values.tolist()).reshape(_shape(case))
        example = example.long() if _is_whole(case) else example.float()
        if scale:
            broadcast = (-1, *(1 for _ in example.shape[1:]))
            mean, std = (torch.tensor(scale[name]).reshape(broadcast) for name in ("mean", "std"))
            example = (example.float() - mean) / std
        with torch.no_grad():
            logits = net(example[None])[0]
        best, second = logits.topk(2).values.tolist()
        close += best - second < _CLOSE * max(1.0, abs(best))
        named = _CLASSES[case.outputs[int(logits.argmax())]]
        right += named == (label if case.labels == "names" else _CLASSES[int(label)])
    return right, close


def _recipe(case: Case, sources: Mapping[str, Any]) -> dict[str, Any]:
    options = {"size": math.prod(_shape(case)), "ids": _ids(case), "answer": case.answer}
    of_mlp = {"name": "mlp", "options": {"widths": [4]}}
    own = {
        "architecture": of_mlp if case.vector else {"name": "mine:Net", "options": options},
        "checkpoint": "own.pt",
        "data": sources["own"],
        "labels": [_CLASSES[output] for output in case.outputs],
        **({"input": dict(_scale(case))} if case.normalised != "no" else {}),
    }
    other = {"architecture": of_mlp, "checkpoint": "other.pt", "data": sources["other"]}
    splits = {name: sources[name] for name in _SPLITS}
    return {
        "name": "mine",
        "federation": {
            "name": "mine",
            "participants": [own, other],
            # Few numbers may well be equal.
            "splits": {"kind": "separate", "duplicates": "keep", **splits},
            "classes": list(_CLASSES),
        },
        "distillation": {"learning_rate": 0.01, "epochs": 2},
        "search": {"stopping": {"rungs": [1]}},
    }


def _read(case: Case) -> None:
    numbers = _spoilt(case, _draw(case, 0 if case.odd == "empty" else _COUNT, case.seed))
    labels = _labels(case, len(numbers))
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "mine.py").write_text(_CODE)
        torch.save(_net(case, _shape(case)).state_dict(), folder / "own.pt")
        other = Mlp(widths=(4,)).build(TensorShape(_shape(case), 3, whole=_is_whole(case)))
        torch.save(other.state_dict(), folder / "other.pt")
        clean = Case(**{**case.__dict__, "odd": "no"})
        sources = {"own": _write(case, folder, "own", numbers, labels)}
        for number, name in enumerate(("other", *_SPLITS)):
            drawn = _draw(case, 12, 1000 + number)
            sources[name] = _write(clean, folder, name, drawn, _labels(clean, 12))
        file = folder / "mine.yaml"
        file.write_text(yaml.safe_dump(_recipe(case, sources), sort_keys=False, allow_unicode=True))
        checked = inspect(str(file))
    if checked.problems:
        assert not _is_good(case, numbers), (case, checked.problems[0])
        raise checked.problems[0]
    assert checked.members[0].private == len(labels)
    measured, (right, close) = checked.members[0].accuracy, _plain(case, numbers, labels)
    assert measured is not None
    assert abs(round(measured * len(labels)) - right) <= close, (measured, right, close)


TARGETS: tuple[Target, ...] = (Target("accuracy on tensors", _cases.filter(_can_be), _read),)
