"""Federations whose inputs are no images: features, token ids and spectrograms."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import ValidationError
from sklearn.datasets import load_iris, load_wine
from torch import Tensor, nn

import autokd
from autokd.compute.device import Compute
from autokd.config.external import ExternalFederation
from autokd.config.study import StudyConfig
from autokd.core.setting import Pair, Setting, Split, TransferSet
from autokd.data.tensor_facts import TensorFacts
from autokd.delivery import DistillationRequest, deliver
from autokd.delivery.markdown import markdown
from autokd.distillation.run import Run
from autokd.errors import InputError, PlanError
from autokd.federation import storage
from autokd.federation.external import load_external_or_raise
from autokd.federation.federation import Federation
from autokd.federation.findings import Findings
from autokd.federation.manifest import MANIFEST
from autokd.federation.networks import network
from autokd.federation.preparation import prepare
from autokd.federation.tensor_scales import compare_tensors
from autokd.models.architectures import Cnn, Mlp, TensorShape

PARTS = {"private0": 40, "private1": 40, "validation": 30, "confirmation": 30, "test": 30}
NETWORKS = '''
import torch
from torch import nn


class Words(nn.Module):
    """A text classifier on token ids: a mean of embeddings."""

    def __init__(self, words: int = 50) -> None:
        super().__init__()
        self.embedding = nn.Embedding(words, 8, padding_idx=0)
        self.last = nn.Linear(8, 2)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        assert ids.dtype == torch.int64
        return self.last(self.embedding(ids).mean(dim=1))


class Sound(nn.Module):
    """A classifier of spectrograms without an axis of channels."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 4, 3)
        self.last = nn.Linear(4, 2)

    def forward(self, sound: torch.Tensor) -> torch.Tensor:
        return self.last(self.first(sound[:, None]).relu().mean(dim=(2, 3)))
'''


@dataclass(frozen=True)
class Kind:
    """One kind of inputs: how they are made of a label, and a network for them."""

    make: Callable[[int, np.random.Generator], NDArray[Any]]
    architecture: dict[str, Any]
    network: Callable[[], nn.Module]


def _own(name: str) -> Callable[[], nn.Module]:
    module: dict[str, Any] = {}
    exec(NETWORKS, module)
    made: Callable[[], nn.Module] = module[name]
    return made


KINDS = {
    "features": Kind(
        lambda label, rng: rng.normal(label * 1.5, 1, 6),
        {"name": "mlp", "options": {"widths": [8]}},
        lambda: Mlp(widths=(8,)).build(TensorShape((6,), 2)),
    ),
    "ids": Kind(
        lambda label, rng: rng.integers(1 + 20 * label, 30 + 20 * label, 7),
        {"name": "networks:Words"},
        _own("Words"),
    ),
    "sound": Kind(
        lambda label, rng: rng.normal(label, 1, (5, 9)).astype(np.float32),
        {"name": "networks:Sound"},
        _own("Sound"),
    ),
    "channels": Kind(
        lambda label, rng: rng.normal(label, 1, (2, 8, 8)),
        {"name": "cnn", "options": {"widths": [4, 6]}},
        lambda: Cnn(widths=(4, 6)).build(TensorShape((2, 8, 8), 2).as_images),
    ),
}


def write(kind: Kind, folder: Path) -> dict[str, Any]:
    """Write data and two trained models, and return the federation's recipe."""
    rng = np.random.default_rng(0)
    (folder / "networks.py").write_text(NETWORKS)
    for name, size in PARTS.items():
        labels = [row % 2 for row in range(size)]
        np.savez(folder / f"{name}.npz", inputs=[kind.make(label, rng) for label in labels], labels=labels)
    for number in range(2):
        module = kind.network()
        inputs, right = loaded(folder, f"private{number}")
        optimizer = torch.optim.Adam(module.parameters(), lr=0.02)
        for _ in range(12):
            optimizer.zero_grad()
            nn.functional.cross_entropy(module(inputs), right).backward()
            optimizer.step()
        torch.save(module.state_dict(), folder / f"model{number}.pt")
    source = {"kind": "npz", "values": "tensor"}
    return {
        "name": "any",
        "participants": [
            {
                "architecture": kind.architecture,
                "checkpoint": f"model{number}.pt",
                "data": {**source, "path": f"private{number}.npz"},
            }
            for number in range(2)
        ],
        "splits": {
            "kind": "separate",
            **{split.value: {**source, "path": f"{split.value}.npz"} for split in Split},
        },
    }


def loaded(folder: Path, part: str) -> tuple[Tensor, Tensor]:
    with np.load(folder / f"{part}.npz") as archive:
        inputs = torch.from_numpy(archive["inputs"])
        return inputs.float() if inputs.is_floating_point() else inputs, torch.from_numpy(archive["labels"])


def of(content: dict[str, Any], folder: Path) -> ExternalFederation:
    return ExternalFederation.model_validate(content).located(folder / "mine.yaml")


@pytest.fixture(scope="module", params=list(KINDS))
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Kind, Any]:
    folder = tmp_path_factory.mktemp(request.param)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return folder, KINDS[request.param], write(KINDS[request.param], folder)


@pytest.fixture(scope="module")
def federation(made: tuple[Path, Kind, Any]) -> Federation:
    folder, _, content = made
    return prepare(of(content, folder), home=folder / "home", compute=Compute())


def test_models_answer_as_in_a_plain_loop(made: tuple[Path, Kind, Any], federation: Federation) -> None:
    folder, kind, _ = made
    for number in range(2):
        module = kind.network()
        module.load_state_dict(torch.load(folder / f"model{number}.pt"))
        module.eval()
        for part, rows in [
            (f"private{number}", federation.participants[number].private),
            *((split.value, federation.splits[split]) for split in Split),
        ]:
            inputs, labels = loaded(folder, part)
            with torch.no_grad():
                expected = module(inputs)
            np.testing.assert_allclose(federation.logits[number, rows], expected, rtol=1e-5, atol=1e-5)
            assert federation.data.labels[rows].tolist() == labels.tolist()
        assert federation.own_accuracy(number) > 0.6


def test_it_is_stored_and_read_again(made: tuple[Path, Kind, Any], federation: Federation) -> None:
    folder, _, content = made
    again = storage.load(folder / "home" / "federations" / federation.name)
    inputs, _ = loaded(folder, "test")
    np.testing.assert_array_equal(again.data.images[again.splits[Split.TEST]], inputs)
    assert again.data.is_tensor
    assert again.name == federation.name
    written = json.loads((folder / "home" / "federations" / federation.name / MANIFEST).read_text())
    assert written["format"] == 2
    prepared = prepare(of(content, folder), home=folder / "home", compute=Compute())
    assert prepared.name == federation.name


def test_a_run_trains_on_what_is_stored(federation: Federation) -> None:
    config = StudyConfig.model_validate(study(federation))
    pair, setting = Pair(0, 1), Setting(temperature=2.0, alpha=0.5, transfer_set=TransferSet.BOTH)
    run = Run(
        federation,
        pair,
        setting,
        seed=0,
        recipe=config.distillation,
        rungs=(2,),
        splits=[Split.VALIDATION],
        compute=Compute(memory_format="channels_last" if federation.data.image_shape else "auto"),
    )
    (rung,) = list(run)
    assert 0 <= rung.evaluations[Split.VALIDATION].accuracy <= 1
    assert np.isfinite(rung.soft_loss)
    small = Run(
        federation,
        pair,
        setting,
        seed=0,
        recipe=config.distillation,
        rungs=(2,),
        splits=[Split.VALIDATION],
        compute=Compute(image_bytes=0, memory_format=run.tensor_format.memory_format),
    )
    # What does not fit on the device is read batch by batch, to the same bits.
    assert [rung_report.soft_loss for rung_report in small] == [rung.soft_loss]


def study(federation: Federation) -> dict[str, Any]:
    return {
        "name": "any",
        "federation": federation.recipe,
        "distillation": {"learning_rate": 0.01, "batch_size": 16, "epochs": 2},
        "search": {"stopping": {"rungs": [1]}},
        "confirmation": {"resamples": 200},
    }


def test_the_script_of_the_card_prints_its_accuracy(
    federation: Federation,
    made: tuple[Path, Kind, Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = made[0]
    monkeypatch.chdir(folder)
    request = DistillationRequest(
        pair=Pair(0, 1),
        setting=Setting(temperature=2.0, alpha=0.5, transfer_set=TransferSet.STUDENT),
        study="mine.yaml",
        home="home",
        file="student.safetensors",
        target="own",
    )
    delivered = deliver(federation, StudyConfig.model_validate(study(federation)), request)
    (folder / request.file).write_bytes(delivered.content)
    assert delivered.card.added is not None
    assert delivered.card.added.layer is not None
    card = markdown(delivered.card, folder=str(folder / "home" / "federations" / federation.name))
    (script,) = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
    exec(script, {})
    assert float(capsys.readouterr().out) == pytest.approx(
        delivered.card.scores[Split.TEST].targets["common"].after
    )
    written = delivered.card.to_json()["model"]
    assert isinstance(written, dict)
    assert written["inputs"] == list(federation.data.images.shape[1:])


@pytest.fixture
def features(tmp_path: Path) -> dict[str, Any]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return write(KINDS["features"], tmp_path)


def refusal_of(content: dict[str, Any], folder: Path) -> str:
    with pytest.raises((PlanError, ValidationError)) as refused:
        load_external_or_raise(of(content, folder), Compute(), source="mine.yaml")
    return str(refused.value)


def save(folder: Path, part: str, inputs: NDArray[Any]) -> None:
    np.savez(folder / f"{part}.npz", inputs=inputs, labels=np.arange(len(inputs)) % 2)


def test_sources_of_two_kinds_are_refused(features: dict[str, Any], tmp_path: Path) -> None:
    features["participants"][1]["data"].pop("values")
    assert "participants.0.data says values: tensor, and participants.1.data is of images" in refusal_of(
        features, tmp_path
    )


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda recipe: recipe.update(images={"size": 8}), "images is for images"),
        (
            lambda recipe: recipe["participants"][0].update(input={"size": 8}),
            "participants.0.input.size is for",
        ),
        (
            lambda recipe: recipe["participants"][0].update(input={"mean": [1, 2]}),
            "has 2 numbers for 6 entries",
        ),
        (
            lambda recipe: recipe["participants"][0].update(architecture={"name": "resnet18"}),
            "takes images, and inputs are tensors of 6 (float32)",
        ),
    ],
)
def test_fields_of_images_are_refused(
    features: dict[str, Any], tmp_path: Path, change: Callable[[Any], object], expected: str
) -> None:
    change(features)
    assert expected in refusal_of(features, tmp_path)


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        (np.zeros((4, 5)), "inputs are 5 (float32), those of participant 0 6 (float32); store all in one"),
        (np.zeros((4, 6), np.int64), "inputs are 6 (int64), those of participant 0 6 (float32)"),
    ],
)
def test_other_shapes_and_types_are_refused_in_a_line(
    features: dict[str, Any], tmp_path: Path, inputs: NDArray[Any], expected: str
) -> None:
    save(tmp_path, "test", inputs)
    assert f"splits.test: {expected}" in refusal_of(features, tmp_path)


def test_equal_inputs_are_refused_dropped_or_kept(features: dict[str, Any], tmp_path: Path) -> None:
    own, _ = loaded(tmp_path, "private0")
    other, _ = loaded(tmp_path, "test")
    save(tmp_path, "test", np.concatenate([own[:2], other[2:]]))
    assert "2 of 30 inputs of test are also private data of participant 0" in refusal_of(features, tmp_path)
    for way, count in {"drop": 28, "keep": 30}.items():
        features["splits"]["duplicates"] = way
        checked = load_external_or_raise(of(features, tmp_path), Compute(), source="mine.yaml")
        assert len(checked.layout.splits[Split.TEST]) == count


def test_keeping_equal_images_is_refused(features: dict[str, Any], tmp_path: Path) -> None:
    for source in [
        *(participant["data"] for participant in features["participants"]),
        *map(features["splits"].get, Split),
    ]:
        source.pop("values")
    features["splits"]["duplicates"] = "keep"
    assert "duplicates: keep is for values: tensor" in refusal_of(features, tmp_path)


def test_a_source_in_another_unit_gets_a_warning(features: dict[str, Any], tmp_path: Path) -> None:
    inputs, _ = loaded(tmp_path, "test")
    inputs[:, 3] *= 100
    save(tmp_path, "test", inputs.numpy())
    checked = load_external_or_raise(of(features, tmp_path), Compute(), source="mine.yaml")
    (warning,) = [warning for warning in checked.warnings if "another unit" in warning.problem]
    assert warning.field == "federation.splits.test"
    assert warning.problem.startswith("entry 3 of its inputs is from ")


UNITS: dict[str, Callable[[NDArray[Any]], NDArray[Any]]] = {
    "raw": lambda raw: raw,
    "standardised": lambda raw: (raw - raw.mean(axis=0)) / raw.std(axis=0),
    "scaled": lambda raw: (raw - raw.min(axis=0)) / np.ptp(raw, axis=0),
}


@pytest.mark.parametrize(
    ("private", "common", "expected"),
    [
        ("standardised", "raw", "which are standardised"),
        ("raw", "standardised", "which are standardised"),
        ("scaled", "raw", r"which are scaled to \[0, 1\]"),
        ("raw", "scaled", r"which are scaled to \[0, 1\]"),
        ("raw", "raw", ""),
        ("standardised", "standardised", ""),
        ("scaled", "scaled", ""),
        ("scaled", "standardised", ""),
    ],
)
def test_sources_in_two_units_are_refused(private: str, common: str, expected: str) -> None:
    """Of scikit-learn's wine data: 13 features from some hundredths to some hundreds, in five parts."""
    wine = load_wine().data[np.random.default_rng(0).permutation(178)]
    facts = {}
    for number, name in enumerate(PARTS):
        unit = UNITS[private if name.startswith("private") else common]
        facts[name] = TensorFacts.of(unit(wine)[35 * number : 35 * number + 35].astype(np.float32))
    findings = Findings("mine.yaml")
    compare_tensors(facts, findings)
    (odd, fine) = ("private0", "test") if private == "raw" else ("test", "private0")
    assert any(re.search(expected, problem.problem) for problem in findings.problems) is bool(expected)
    assert [problem.field for problem in findings.problems if odd in problem.field] == [
        f"federation.{odd}"
    ] * bool(expected)
    assert not any(fine in problem.field for problem in findings.problems)
    if private == common:
        assert not findings.warnings


def test_a_shift_that_other_cases_may_have_gets_a_warning() -> None:
    iris = load_iris().data[np.random.default_rng(0).permutation(150)].astype(np.float32)
    findings = Findings("mine.yaml")
    raw, standardised = TensorFacts.of(iris[:75]), TensorFacts.of(UNITS["standardised"](iris)[75:])
    compare_tensors({"a": raw, "b": standardised}, findings)
    (warning,) = findings.warnings
    assert not findings.problems
    assert "in another unit than those of b, which are standardised" in warning.problem


def test_standardised_training_data_are_recognised(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    features = write(KINDS["features"], tmp_path)
    raw = {name: rng.normal(200, 40, (size, 6)) for name, size in PARTS.items()}
    for values in raw.values():
        values[np.arange(len(values)) % 2 == 1] += 60
    module = KINDS["features"].network()
    mean, std = raw["private0"].mean(axis=0), raw["private0"].std(axis=0)
    for name, values in raw.items():
        save(tmp_path, name, values)
    inputs = torch.tensor((raw["private0"] - mean) / std).float()
    labels = torch.arange(len(inputs)) % 2
    optimizer = torch.optim.Adam(module.parameters(), lr=0.02)
    for _ in range(60):
        optimizer.zero_grad()
        nn.functional.cross_entropy(module(inputs), labels).backward()
        optimizer.step()
    torch.save(module.state_dict(), tmp_path / "model0.pt")
    checked = load_external_or_raise(of(features, tmp_path), Compute(), source="mine.yaml")
    assert any(
        "with the mean and std of its own data it would be" in warning.problem for warning in checked.warnings
    )
    features["participants"][0]["input"] = {"mean": mean.tolist(), "std": std.tolist()}
    checked = load_external_or_raise(of(features, tmp_path), Compute(), source="mine.yaml")
    expected = float((module(inputs).argmax(dim=1) == labels).double().mean())
    assert checked.models[0].measured.own.accuracy == expected


def test_ids_beyond_a_vocabulary_are_found_by_the_check(tmp_path: Path) -> None:
    content = write(KINDS["ids"], tmp_path)
    ids, _ = loaded(tmp_path, "test")
    ids[3, 2] = 77
    save(tmp_path, "test", ids.numpy())
    with pytest.raises(PlanError) as refused:
        load_external_or_raise(of(content, tmp_path), Compute(), source="mine.yaml")
    assert [mistake.field for mistake in refused.value.all] == [
        f"federation.participants.{number}.architecture" for number in range(2)
    ]
    expected = "cannot take whole numbers from 1 to 77, as all data have them: IndexError"
    assert all(expected in mistake.problem for mistake in refused.value.all)


SHAPES = st.lists(st.integers(1, 4), min_size=1, max_size=3).map(tuple)


@given(shape=SHAPES, kind=st.sampled_from(["float32", "float64", "int16", "int64"]), seed=st.integers(0, 99))
@settings(max_examples=8, deadline=None)
def test_models_in_memory_take_any_shape_and_type(
    shape: tuple[int, ...], kind: str, seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    rng = np.random.default_rng(seed)
    # No two inputs are equal.
    numbers = rng.permutation(60 * int(np.prod(shape))).reshape(5, 12, *shape) - 1000
    parts = [(part.astype(kind), np.arange(12) % 2) for part in numbers]
    whole = np.dtype(kind).kind == "i"
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        modules = [Mlp(widths=(4,)).build(TensorShape(shape, 2, whole=whole)) for _ in range(2)]
    members = [
        autokd.Member(model=module, data=data, architecture="mlp", options={"widths": (4,)}, name=f"m{n}")
        for n, (module, data) in enumerate(zip(modules, parts, strict=False))
    ]
    made = autokd.federation_from_models(
        "memory",
        members,
        validation=parts[2],
        confirmation=parts[3],
        test=parts[4],
        values="tensor",
        home=tmp_path_factory.mktemp("home"),
    )
    assert made.data.images.dtype == (np.int64 if whole else np.float32)
    rows = made.participants[1].private
    inputs = torch.tensor(parts[1][0], dtype=torch.float32)
    with torch.no_grad():
        expected = modules[1](inputs)
    np.testing.assert_allclose(made.logits[1, rows], expected, rtol=1e-4, atol=1e-2)
    assert network(made, 0)(torch.from_numpy(np.array(made.data.images[:2]))).shape == (2, 2)


def test_equal_numbers_as_images_make_another_federation(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    parts = [(rng.random((12, 1, 4, 4), np.float32), np.arange(12) % 2) for _ in range(5)]
    modules = [Mlp(widths=(4,)).build(TensorShape((1, 4, 4), 2)) for _ in range(2)]
    members = [
        autokd.Member(model=module, data=data, architecture="mlp", options={"widths": (4,)})
        for module, data in zip(modules, parts, strict=False)
    ]
    splits: dict[str, Any] = dict(zip(("validation", "confirmation", "test"), parts[2:], strict=True))
    images = autokd.federation_from_models("m", members, **splits, home=tmp_path)
    tensors = autokd.federation_from_models("m", members, **splits, values="tensor", home=tmp_path)
    assert images.name != tensors.name
    np.testing.assert_allclose(images.logits, tensors.logits, rtol=1e-6)
    with pytest.raises(InputError, match="values"):
        autokd.federation_from_models("m", members, **splits, values="words", home=tmp_path)  # type: ignore[arg-type]
