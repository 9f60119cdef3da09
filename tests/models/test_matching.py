"""Checkpoints as training scripts save them: each loads with the network's own weights, or is refused."""

from __future__ import annotations

import argparse
import enum
import json
import pickle
import warnings
import zipfile
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.optim.swa_utils import AveragedModel
from torchvision.models import get_model

from autokd.config.external import ExternalParticipant
from autokd.errors import PlanError
from autokd.models.checkpoint import Checkpoint, read_checkpoint
from autokd.models.matching import choose, fit
from autokd.models.weights import load_weights, weights_of

State = dict[str, Any]


class Mode(enum.Enum):
    """An enum of a training script."""

    BEST = "best"


class Options(dict[str, Any]):
    """Options of a training script, as Lightning's AttributeDict."""


class OfTpu:
    """A tensor that is pickled as one of an accelerator of another kind."""

    def __init__(self, value: torch.Tensor) -> None:
        self._value = value

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        rebuild = torch._utils._rebuild_device_tensor_from_numpy
        return rebuild, (self._value.numpy(), self._value.dtype, "xla:0", False)


def network(width: int = 4, seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    made = nn.Sequential(
        nn.Conv2d(1, width, 3), nn.BatchNorm2d(width), nn.ReLU(), nn.Flatten(), nn.Linear(width * 36, 3)
    )
    made[1].register_buffer("running_mean", torch.rand(width))
    return made


def before(prefix: str, state: State) -> State:
    return {f"{prefix}{name}": value for name, value in state.items()}


def averaged(model: nn.Module) -> State:
    return AveragedModel(model).state_dict()


def optimizer(model: nn.Module) -> State:
    made = torch.optim.Adam(model.parameters())
    model(torch.rand(2, 1, 8, 8)).sum().backward()
    made.step()
    return made.state_dict()


def inside(state: State) -> State:
    """Names where two layers were compiled and one was wrapped in DataParallel."""
    words = {"0.": "0._orig_mod.", "1.": "1._orig_mod.", "4.": "4.module."}
    return {words[name[:2]] + name[2:]: value for name, value in state.items()}


# What a script passes to torch.save, of its model and another of the same architecture.
SAVED: dict[str, Callable[[nn.Module, State], Any]] = {
    "the state dict": lambda model, other: model.state_dict(),
    "an ordered dict": lambda model, other: OrderedDict(model.state_dict()),
    "a plain dict of parameters": lambda model, other: (
        dict(model.named_parameters()) | dict(model.named_buffers())
    ),
    "DataParallel": lambda model, other: nn.DataParallel(model).state_dict(),
    "compiled": lambda model, other: before("_orig_mod.", model.state_dict()),
    "compiled in DataParallel": lambda model, other: before("module._orig_mod.", model.state_dict()),
    "parts that were wrapped": lambda model, other: inside(model.state_dict()),
    "AveragedModel": lambda model, other: averaged(model),
    "pytorch-cifar": lambda model, other: {
        "net": before("module.", model.state_dict()),
        "acc": 93.1,
        "epoch": 5,
    },
    "RepDistiller": lambda model, other: {
        "opt": argparse.Namespace(lr=0.1, path=Path("data")),
        "model": model.state_dict(),
        "optimizer": {"state": {}, "param_groups": [{"lr": 0.1}]},
    },
    "torchvision's references": lambda model, other: {
        "model": model.state_dict(),
        "args": argparse.Namespace(data_path=Path("data")),
        "model_ema": {"n_averaged": torch.tensor(3)} | before("module.", other),
    },
    "timm's train.py": lambda model, other: {
        "state_dict": model.state_dict(),
        "args": argparse.Namespace(),
        "state_dict_ema": other,
        "metric": np.float64(93.1),
    },
    "Lightning": lambda model, other: {
        "epoch": 3,
        "state_dict": before("model.", model.state_dict()) | {"criterion.weight": torch.ones(3)},
        "hyper_parameters": Options(lr=0.1, mode=Mode.BEST),
        "callbacks": {"ModelCheckpoint{'monitor': None}": {"best_model_score": torch.tensor(0.9)}},
    },
    "Lightning, attribute net": lambda model, other: {"state_dict": before("net.", model.state_dict())},
    "nested twice": lambda model, other: {"ckpt": {"model": {"state_dict": model.state_dict()}}},
    "no counters": lambda model, other: {
        name: value for name, value in model.state_dict().items() if "num_batches" not in name
    },
    "NumPy arrays": lambda model, other: {name: value.numpy() for name, value in model.state_dict().items()},
    "a number among weights": lambda model, other: model.state_dict() | {"epoch": 3},
    "objects of the script": lambda model, other: {
        "model": model.state_dict(),
        "mode": {Mode.BEST: 1},
        "log": defaultdict(list, loss=[1.0]),
        "scores": {"a", "b"},
        "dtype": torch.float16,
    },
    "a score among weights": lambda model, other: model.state_dict() | {"best": torch.tensor(0.3)},
    "a list of one": lambda model, other: [model.state_dict()],
    "epoch, weights and optimizer": lambda model, other: (3, model.state_dict(), optimizer(model)),
    "inside lists": lambda model, other: {"models": [model.state_dict()], "log": [(1, [2, 3])] * 1500},
    "inside an object of the script": lambda model, other: SimpleNamespace(
        epoch=3, model=model.state_dict(), log=SimpleNamespace(loss=[0.1])
    ),
    "ranges, errors and functions": lambda model, other: {
        "rows": range(3),
        "stopped": ValueError("no progress"),
        "act": print,
        "model": model.state_dict(),
    },
    "of a TPU": lambda model, other: {name: OfTpu(value) for name, value in model.state_dict().items()},
    "in order, beside a round": lambda model, other: {
        "round": 3,
        "parameters": [value.numpy() for value in model.state_dict().values()],
    },
    "in order without counters": lambda model, other: [
        value for name, value in model.state_dict().items() if "num_batches" not in name
    ],
    "in order": lambda model, other: [value.numpy() for value in model.state_dict().values()],
    "two equal ones": lambda model, other: {"last": model.state_dict(), "best": model.state_dict()},
    "with its optimizer": lambda model, other: {"optimizer": optimizer(model), "weights": model.state_dict()},
}
WAYS: dict[str, Callable[[Any, Path], object]] = {
    "torch": torch.save,
    "torch before archives": lambda content, file: torch.save(
        content, file, _use_new_zipfile_serialization=False
    ),
    "pickle protocol 4": lambda content, file: torch.save(content, file, pickle_protocol=4),
    "pickle": lambda content, file: file.write_bytes(pickle.dumps(content)),
}


def loaded(file: Path, wanted: str | None = None) -> tuple[nn.Module, tuple[str, ...]]:
    made = network(seed=9)
    return made, fit(made, read_checkpoint(file), file, wanted=wanted)


def same(network: nn.Module, other: nn.Module) -> bool:
    images = torch.rand(5, 1, 8, 8)
    return torch.equal(network.eval()(images), other.eval()(images))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", SAVED)
def test_what_scripts_save_loads(name: str, way: str, tmp_path: Path) -> None:
    model, file = network(), tmp_path / "model.pth.tar"
    WAYS[way](SAVED[name](model, network(seed=1).state_dict()), file)
    assert same(loaded(file)[0], model)


@pytest.mark.parametrize("name", ["model.safetensors", "model.bin"])
def test_the_content_tells_the_format(name: str, tmp_path: Path) -> None:
    model = network()
    safetensors.torch.save_file(model.state_dict(), tmp_path / name)
    assert same(loaded(tmp_path / name)[0], model)


def test_weights_in_several_files_load_by_their_index(tmp_path: Path) -> None:
    model, listed = network(), {}
    for number, (name, value) in enumerate(model.state_dict().items()):
        shard = f"model-{number % 2}.safetensors"
        listed[name] = shard
        both = {key: model.state_dict()[key] for key, other in listed.items() if other == shard}
        safetensors.torch.save_file(both | {name: value}, tmp_path / shard)
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": listed}))
    assert same(loaded(index)[0], model)


def test_arrays_of_flower_load_in_order_and_by_name(tmp_path: Path) -> None:
    model, file = network(), tmp_path / "round-3-weights.npz"
    arrays = {name: value.numpy() for name, value in model.state_dict().items()}
    np.savez(file, *arrays.values())
    assert same(loaded(file)[0], model)
    np.savez(file, **arrays)
    assert same(loaded(file)[0], model)


def test_an_average_beside_it_is_named_and_can_be_taken(tmp_path: Path) -> None:
    model, other, file = network(), network(seed=1), tmp_path / "last.pth"
    torch.save({"state_dict": model.state_dict(), "state_dict_ema": other.state_dict()}, file)
    first, (note,) = loaded(file)
    assert same(first, model)
    assert "'state_dict' are taken" in note
    assert "'state_dict_ema'" in note
    second, notes = loaded(file, "state_dict_ema")
    assert same(second, other)
    assert notes == ()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (lambda a, b: {"student": a, "teacher": b}, ("several", "'student'", "'teacher'", "weights:")),
        (
            lambda a, b: {"state_dict": before("model.", a) | before("teacher.", b)},
            ("'state_dict:model.'", "'state_dict:teacher.'"),
        ),
        (lambda a, b: {"ema": a, "swa": b}, ("several", "'ema'", "'swa'")),
    ],
)
def test_nothing_is_guessed_where_two_fit(
    content: Callable[[State, State], Any], words: tuple[str, ...], tmp_path: Path
) -> None:
    file, other = tmp_path / "last.pth", network(seed=1)
    torch.save(content(network().state_dict(), other.state_dict()), file)
    with pytest.raises(PlanError) as raised:
        loaded(file)
    for word in words:
        assert word in str(raised.value)
    last = words[-1].strip("'") if "'" in words[-1] else "teacher"
    assert same(loaded(file, last)[0], other)


@pytest.mark.parametrize(
    "kind", [torch.float16, torch.bfloat16, torch.float64, torch.float8_e4m3fn, torch.float8_e5m2]
)
def test_other_precisions_are_cast_and_a_narrower_one_is_told(kind: torch.dtype, tmp_path: Path) -> None:
    model, file = network(), tmp_path / "model.pt"
    torch.save({n: v.to(kind) if v.is_floating_point() else v for n, v in model.state_dict().items()}, file)
    made, notes = loaded(file)
    assert all(value.dtype is torch.float32 for value in made.parameters())
    assert [str(kind) in note for note in notes] == ([] if kind is torch.float64 else [True])


@pytest.mark.parametrize("kind", [torch.int8, torch.uint8, torch.int32])
def test_whole_numbers_as_weights_are_told(kind: torch.dtype, tmp_path: Path) -> None:
    """As `load_state_dict` takes them: of quantised weights, without their scale."""
    model, file = network(), tmp_path / "model.pt"
    state = model.state_dict()
    state["4.weight"].mul_(100).round_().abs_()
    torch.save(state | {"4.weight": state["4.weight"].to(kind)}, file)
    made, (note,) = loaded(file)
    assert same(made, model)
    assert "4.weight holds whole numbers" in note
    assert str(kind) in note


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda value: torch.quantize_per_tensor(value, 0.1, 0, torch.qint8), r"qint8.*dequantize\(\)"),
        (lambda value: value.to_sparse(), r"sparse_coo.*to_dense\(\)"),
        (lambda value: value.to(torch.complex64), "complex64"),
    ],
)
@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor")
def test_what_is_no_plain_tensor_is_refused_with_a_way_out(
    change: Callable[[torch.Tensor], torch.Tensor], words: str, tmp_path: Path
) -> None:
    file, state = tmp_path / "model.pt", network().state_dict()
    torch.save(state | {"4.weight": change(state["4.weight"])}, file)
    with pytest.raises(PlanError, match=f"4.weight is no plain tensor.*{words}"):
        loaded(file)


def test_a_head_of_another_name_is_to_be_renamed(tmp_path: Path) -> None:
    file, state = tmp_path / "model.pt", network().state_dict()
    torch.save({name.replace("4.", "classifier.1."): value for name, value in state.items()}, file)
    with pytest.raises(PlanError, match=r"is classifier\.1\.bias there what the network calls 4\.bias\?"):
        loaded(file)


def test_a_key_may_be_written_as_a_number() -> None:
    content = {
        "architecture": {"name": "cnn"},
        "checkpoint": "a.pt",
        "data": {"kind": "npz", "path": "a.npz"},
    }
    assert ExternalParticipant.model_validate(content | {"weights": 2}).weights == "2"


@pytest.mark.parametrize("is_whole", [False, True])
def test_adapters_are_to_be_merged_first(is_whole: bool, tmp_path: Path) -> None:
    file, state = tmp_path / "model.pt", network().state_dict()
    whole = {name.replace("4.", "4.base_layer."): value for name, value in state.items()} if is_whole else {}
    adapters = {f"4.lora_{kind}.default.weight": torch.ones(2, 3) for kind in "AB"}
    torch.save(before("base_model.model.", whole | adapters), file)
    with pytest.raises(PlanError, match=r"merge_and_unload\(\)"):
        loaded(file)


def test_a_whole_model_and_torchscript_are_refused_with_the_lines_that_convert_them(tmp_path: Path) -> None:
    model, file = network(), tmp_path / "model.pt"
    for content in (model, {"epoch": 3, "model": model}):
        torch.save(content, file)
        with pytest.raises(PlanError, match=r"a whole model.*torch\.load\('model\.pt', weights_only=False\)"):
            loaded(file)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # It is deprecated, and still on users' disks.
        torch.jit.save(torch.jit.trace(model.eval(), torch.rand(1, 1, 8, 8)), file)
    with pytest.raises(PlanError, match=r"TorchScript.*torch\.jit\.load\('model\.pt'\)"):
        loaded(file)


@pytest.mark.parametrize(
    ("begins", "words"),
    [
        (bytes([0x89]) + b"HDF", "HDF5"),
        (bytes([8, 7, 18]), "ONNX"),
        (bytes([8, 8, 18]), "ONNX"),
        (bytes([0x1F, 0x8B]), "gzip"),
        (b"PAR1", "Parquet"),
        (b"GGUF", "GGUF"),
        (bytes([0x93]) + b"NUMPY", r"one array of NumPy"),
        (b"<!DOCTYPE html>", "a web page"),
        (b"version https://git-lfs.example/spec/v1", "git lfs pull"),
        (bytes(257) + b"ustar", "is an archive; unpack it"),
    ],
)
def test_files_of_other_kinds_are_named(begins: bytes, words: str, tmp_path: Path) -> None:
    file = tmp_path / "model.pt"
    file.write_bytes(begins + bytes(100))
    with pytest.raises(PlanError, match=words):
        read_checkpoint(file)


def test_what_is_packed_or_empty_is_to_be_unpacked(tmp_path: Path) -> None:
    file = tmp_path / "model.zip"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("run/model.pt", b"")
    with pytest.raises(PlanError, match=r"an archive of run/model\.pt; unpack it"):
        read_checkpoint(file)
    file.write_bytes(b"")
    with pytest.raises(PlanError, match="is empty"):
        read_checkpoint(file)


class Calls:
    """What its pickle calls is run by an ordinary unpickler."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self._call = function, arguments

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self._call


@pytest.mark.parametrize(
    "make",
    [
        lambda file: Calls(Path.touch, file),
        lambda file: Calls(eval, f"open({str(file)!r}, 'w')"),
        lambda file: Calls(exec, f"open({str(file)!r}, 'w')"),
        lambda file: Calls(__import__("os").system, f"touch {file}"),
        lambda file: Calls(__import__("subprocess").check_call, ["touch", str(file)]),
        lambda file: Calls(__import__("shutil").copy, __file__, str(file)),
        lambda file: Calls(torch.save, 1, str(file)),
        lambda file: Calls(np.save, str(file), np.ones(1)),
        lambda file: Calls(__import__("runpy").run_path, str(file)),
    ],
)
@pytest.mark.parametrize("way", WAYS)
def test_nothing_that_a_file_names_is_run(make: Callable[[Path], Calls], way: str, tmp_path: Path) -> None:
    file, mark = tmp_path / "model.pt", tmp_path / "run"
    WAYS[way]({"model": network().state_dict(), "extra": make(mark)}, file)
    with suppress(PlanError):  # Some are refused; of others an empty object is read.
        read_checkpoint(file)
    assert not mark.exists()


def test_another_architecture_is_told_by_what_it_lacks(tmp_path: Path) -> None:
    file = tmp_path / "model.pt"
    torch.save({"state_dict": before("module.", network(width=5).state_dict())}, file)
    with pytest.raises(
        PlanError, match=r"'state_dict:module\.'.*\(5, 1, 3, 3\), in the network \(4, 1, 3, 3\)"
    ):
        loaded(file)
    torch.save({"model": {"0.weight": torch.ones(2)}}, file)
    with pytest.raises(PlanError, match=r"lacks \d+ weights of the network"):
        loaded(file)


@given(
    wrappers=st.lists(st.sampled_from(["module.", "_orig_mod.", "model.", "net.", "backbone."]), max_size=3),
    keys=st.lists(st.sampled_from(["state_dict", "model", "net", "ckpt", "best"]), max_size=3, unique=True),
)
def test_any_wrapping_gives_the_same_weights(wrappers: list[str], keys: list[str]) -> None:
    model = network()
    state: State = before("".join(wrappers), model.state_dict())
    chosen = choose(network(seed=9), Checkpoint({"/".join(keys): state}), Path("model.pt"))
    assert chosen.weights.keys() == model.state_dict().keys()
    assert all(torch.equal(chosen.weights[name], value) for name, value in model.state_dict().items())
    assert chosen.notes == ()


class Shared(nn.Module):
    """Two layers that share a weight, and one whose weight is normalised."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 4)
        self.second.weight = self.first.weight
        self.last = nn.utils.parametrizations.weight_norm(nn.Linear(4, 3))

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.last(self.second(self.first(values).relu()))
        return logits


def test_weights_that_are_shared_need_not_be_in_the_file_twice(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model, made, file = Shared(), Shared(), tmp_path / "model.safetensors"
    safetensors.torch.save_model(model, str(file))
    assert fit(made, read_checkpoint(file), file) == ()
    values = torch.rand(5, 4)
    assert torch.equal(made(values), model(values))


@pytest.mark.parametrize("prefix", ["", "module.", "model.net."])
def test_names_of_earlier_versions_of_a_layer_are_read_by_the_layer(prefix: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model, made, file = Shared(), Shared(), tmp_path / "model.pt"
    now = "parametrizations.weight.original"
    former = {f"{now}0": "weight_g", f"{now}1": "weight_v"}
    state = model.state_dict()
    for new, old in former.items():
        state[f"last.{old}"] = state.pop(f"last.{new}")
    torch.save({"state_dict": before(prefix, state)}, file)
    fit(made, read_checkpoint(file), file)
    values = torch.rand(5, 4)
    assert torch.equal(made(values), model(values))


def test_parameters_in_order_without_statistics_are_told_from_another_architecture(tmp_path: Path) -> None:
    file = tmp_path / "weights.npz"
    np.savez(file, *[value.detach().numpy() for value in network().parameters()])
    with pytest.raises(PlanError, match="without BatchNorm's running mean"):
        loaded(file)


@pytest.mark.parametrize(
    ("inside", "words"),
    [
        (".metadata", r"dcp_to_torch_save\('saved', 'weights.pt'\)"),
        ("model.safetensors", r"name the file in it, saved/model\.safetensors"),
        ("notes.txt", "name the file in it that holds the weights"),
    ],
)
def test_a_folder_is_no_checkpoint_and_told_what_to_name(inside: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / inside).touch()
    with pytest.raises(PlanError, match=words):
        read_checkpoint(tmp_path / "saved")


def test_layers_that_insist_on_their_version_get_it(tmp_path: Path) -> None:
    """torchvision's MNASNet refuses a state dict that does not say which it is of."""
    made, other = (get_model("mnasnet0_5", num_classes=2).eval() for _ in range(2))
    file = tmp_path / "model.safetensors"
    safetensors.torch.save_file(made.state_dict(), file)
    assert fit(other, read_checkpoint(file), file) == ()
    load_weights(other, weights_of(made))
    images = torch.rand(2, 3, 32, 32)
    assert torch.equal(other(images), made(images))


def test_a_score_beside_the_weights_is_left_out_with_a_word(tmp_path: Path) -> None:
    file = tmp_path / "model.pt"
    torch.save(network().state_dict() | {"best": torch.tensor(0.3)}, file)
    (note,) = loaded(file)[1]
    assert note == "the number 'best' beside the weights is none of the network's, and left out"


def test_of_a_list_of_models_the_recipe_says_which(tmp_path: Path) -> None:
    file, other = tmp_path / "clients.pt", network(seed=1)
    torch.save([network().state_dict(), other.state_dict()], file)
    with pytest.raises(PlanError, match="several state dicts that fit: '0', '1'"):
        loaded(file)
    assert same(loaded(file, "1")[0], other)
