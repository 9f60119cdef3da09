"""Pixels of several sources mean the same, or it is said; models are measured as by plain PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from torch import nn

from autokd.compute.device import Compute
from autokd.config.external import ExternalFederation
from autokd.data.pixel_facts import PixelFacts, PixelScale
from autokd.federation.external import load_external
from autokd.federation.findings import Findings
from autokd.federation.measured import guessing, is_near_chance
from autokd.models.architectures import Cnn, Shape

Array = NDArray[Any]
MEAN, STD = 0.3, 0.35
ENDS = (300, 600, 800, 1150, 1450)
PARTS = ("private0", "private1", "validation", "confirmation", "test")


def digits() -> dict[str, tuple[Array, Array]]:
    data = load_digits()
    order = np.random.default_rng(0).permutation(len(data.target))
    images, labels = (data.images[order] * 15).astype(np.uint8), data.target[order]
    cuts = [0, *ENDS]
    return {name: (images[a:b], labels[a:b]) for name, a, b in zip(PARTS, cuts, cuts[1:], strict=False)}


Look = Callable[[Array], Array]
"""What a network is trained on, made of bytes."""


def unit(images: Array) -> Array:
    return torch.from_numpy(images).float().div(255).numpy()


def raw(images: Array) -> Array:
    return images.astype(np.float32)


def symmetric(images: Array) -> Array:
    return (unit(images) - np.float32(0.5)) / np.float32(0.5)


def standardised(images: Array) -> Array:
    return ((unit(images) - np.float32(MEAN)) / np.float32(STD)).astype(np.float32)


def inverted(images: Array) -> Array:
    return 255 - images


def sixteen(images: Array) -> Array:
    return images.astype(np.float32) / 15


def twice(images: Array) -> Array:
    return unit(images) / 255


def same(images: Array) -> Array:
    return images


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[Look, Path]:
    """A network for each look, trained without autokd."""
    folder = tmp_path_factory.mktemp("trained")
    images, labels = digits()["private0"]
    files: dict[Look, Path] = {}
    for look in (unit, raw, symmetric, standardised, sixteen):
        with torch.random.fork_rng():
            torch.manual_seed(0)
            network = Cnn(widths=(8, 16)).build(Shape(channels=1, size=8, classes=10))
            optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
            x, y = torch.from_numpy(look(images))[:, None], torch.from_numpy(labels)
            for _ in range(150):
                chosen = torch.randint(len(x), (32,))
                optimizer.zero_grad()
                nn.functional.cross_entropy(network(x[chosen]), y[chosen]).backward()
                optimizer.step()
        files[look] = folder / f"{look.__name__}.pt"
        torch.save(network.state_dict(), files[look])
    return files


def plain(file: Path, x: Array, y: Array) -> float:
    """What PyTorch alone measures."""
    network = Cnn(widths=(8, 16)).build(Shape(channels=1, size=8, classes=10))
    network.load_state_dict(torch.load(file))
    with torch.no_grad():
        answers = network.eval()(torch.from_numpy(x)[:, None]).argmax(1).numpy()
    return float((answers == y).mean())


def measured(
    folder: Path,
    file: Path,
    stored: dict[str, Look],
    *,
    look: dict[str, Any] | None = None,
    sources: dict[str, dict[str, Any]] | None = None,
) -> Findings:
    """Check a recipe whose parts are stored in different ways; both participants have the same network."""

    def source(name: str) -> dict[str, Any]:
        return {"kind": "npz", "path": str(folder / f"{name}.npz"), **(sources or {}).get(name, {})}

    for name, (images, labels) in digits().items():
        np.savez(folder / f"{name}.npz", images=stored.get(name, same)(images), labels=labels)
    recipe = {
        "name": "pixels",
        "participants": [
            {
                "architecture": {"name": "cnn", "options": {"widths": [8, 16]}},
                "checkpoint": str(file),
                "data": source(f"private{number}"),
                "input": look or {},
            }
            for number in (0, 1)
        ],
        "splits": {
            "kind": "separate",
            **{name: source(name) for name in ("validation", "confirmation", "test")},
        },
    }
    findings = Findings("mine.yaml")
    load_external(ExternalFederation.model_validate(recipe), Compute(), findings)
    return findings


def everywhere(look: Look) -> dict[str, Look]:
    return dict.fromkeys(PARTS, look)


@dataclass(frozen=True, kw_only=True)
class Case:
    """How images are stored, and what is said of it; nothing if `words` are empty."""

    name: str
    trained: Look
    stored: dict[str, Look] = field(default_factory=dict)
    input: dict[str, Any] = field(default_factory=dict)
    sources: dict[str, dict[str, Any]] = field(default_factory=dict)
    problem: tuple[str, ...] = ()
    warning: tuple[str, ...] = ()


NORMALISED = {"mean": [MEAN], "std": [STD]}
CASES = (
    Case(name="bytes everywhere", trained=unit),
    Case(name="floats in [0, 1] beside bytes", trained=unit, stored={"private0": unit, "test": unit}),
    Case(name="normalised by the recipe", trained=standardised, input={"mean": MEAN, "std": STD}),
    Case(name="standardised everywhere", trained=standardised, stored=everywhere(standardised)),
    Case(name="floats up to 255 everywhere", trained=raw, stored=everywhere(raw)),
    Case(name="bits undo 255", trained=unit, stored={"private0": raw}, sources={"private0": {"bits": 8}}),
    Case(
        name="normalised undoes a normalisation",
        trained=standardised,
        stored={"private0": standardised, "private1": standardised},
        sources={name: {"normalised": NORMALISED} for name in ("private0", "private1")},
        input=NORMALISED,
    ),
    Case(
        name="normalised undoes another scale",
        trained=unit,
        stored={"test": sixteen},
        sources={"test": {"normalised": {"std": 15 / 255}}},
    ),
    Case(
        name="mean and std in the unit of floats up to 255",
        trained=standardised,
        stored=everywhere(raw),
        input={"mean": 255 * MEAN, "std": 255 * STD},
    ),
    Case(
        name="private floats up to 255 beside bytes",
        trained=raw,
        stored={"private0": raw},
        problem=("participants.0.data", "from 0 to 240", "bits: 8"),
    ),
    Case(
        name="a split up to 255 beside [0, 1]",
        trained=unit,
        stored={**everywhere(unit), "test": raw},
        problem=("splits.test", "from 0 to 240", "bits: 8"),
    ),
    Case(
        name="a split from -1 to 1 beside bytes",
        trained=unit,
        stored={"confirmation": symmetric},
        problem=("splits.confirmation", "-1", "mean: [0.5]"),
    ),
    Case(
        name="one participant standardised",
        trained=unit,
        stored={"private1": standardised},
        problem=("participants.1.data", "-0.857", "normalised"),
    ),
    Case(
        name="[-1, 1] beside standardised",
        trained=symmetric,
        stored={**everywhere(standardised), "test": symmetric},
        problem=("splits.test",),
    ),
    Case(
        name="up to 16 beside up to 255",
        trained=raw,
        stored={**everywhere(raw), "private1": sixteen},
        problem=("participants.1.data", "15 times"),
    ),
    Case(
        name="divided by 255 twice",
        trained=unit,
        stored={"private1": twice},
        problem=("participants.1.data", "255 times"),
    ),
    Case(
        name="normalised twice",
        trained=standardised,
        stored=everywhere(standardised),
        input=NORMALISED,
        problem=("participants.0.input.mean", "normalised already", "without mean and std"),
    ),
    Case(
        name="mean in the unit of bytes",
        trained=standardised,
        input={"mean": 255 * MEAN, "std": 255 * STD},
        problem=("participants.0.input.mean", "0.3", "divided by 255"),
    ),
    Case(
        name="trained on 0 to 255, asked for bytes",
        trained=raw,
        warning=("participants.0", "times 255", "std: [0.00392156863]"),
    ),
    Case(
        name="normalisation forgotten",
        trained=standardised,
        warning=("participants.0", "mean and std of its own data"),
    ),
    Case(
        name="trained on [-1, 1], asked for [0, 1]",
        trained=symmetric,
        warning=("participants.0", "mean 0.5 and std 0.5", "mean: [0.5], std: [0.5]"),
    ),
    Case(
        name="normalisation too much",
        trained=unit,
        input={"mean": 0.5, "std": 0.25},
        warning=("participants.0", "without mean and std"),
    ),
    Case(
        name="splits inverted",
        trained=unit,
        stored=dict.fromkeys(("validation", "confirmation", "test"), inverted),
        warning=("participants.0", "common splits", "inverted"),
    ),
    Case(
        name="a split darker",
        trained=unit,
        stored={"test": lambda images: images // 5},
        warning=("splits.test", "darker images, or another scale"),
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_pixels_mean_the_same_or_it_is_said(tmp_path: Path, trained: dict[Look, Path], case: Case) -> None:
    file = trained[case.trained]
    findings = measured(tmp_path, file, case.stored, look=case.input, sources=case.sources)
    problems, warnings = (list(map(str, listed)) for listed in (findings.problems, findings.warnings))
    if case.problem:
        assert any(all(word in problem for word in case.problem) for problem in problems), problems
        return
    assert not problems
    if case.warning:
        assert any(all(word in warning for word in case.warning) for warning in warnings), warnings
        return
    assert not warnings
    parts = digits()
    for number in (0, 1):
        of_participant = findings.measured[number]
        for name, share in {f"private{number}": of_participant.own, **of_participant.splits}.items():
            images, labels = parts[name]
            assert share.of == len(labels)
            assert share.accuracy == pytest.approx(plain(file, case.trained(images), labels), abs=0.005)


@settings(max_examples=60, deadline=None)
@given(
    st.floats(-3, 3),
    st.floats(0.01, 300),
    st.integers(1, 4).map(lambda n: (n, 3, 4, 5)),
    st.integers(0, 2**31),
)
def test_facts_are_numpys(shift: float, scale: float, shape: tuple[int, ...], seed: int) -> None:
    images = np.random.default_rng(seed).uniform(shift, shift + scale, shape).astype(np.float32)
    facts = PixelFacts.of(images)
    assert (facts.low, facts.high) == (images.min(), images.max())
    wide = images.astype(np.float64)
    assert np.allclose(facts.mean, wide.mean(axis=(0, 2, 3)), rtol=1e-5, atol=1e-5)
    assert np.allclose(facts.std, wide.std(axis=(0, 2, 3)), rtol=1e-3, atol=1e-3)
    assert (facts.scale is PixelScale.UNIT) == (images.min() >= -0.1 and images.max() <= 1.1)


@settings(max_examples=200, deadline=None)
@given(st.integers(2, 12), st.integers(20, 400), st.integers(0, 2**31))
def test_guesses_are_near_chance_and_knowledge_is_not(classes: int, count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    # Whatever is always answered.
    constant = np.full(count, int(rng.integers(classes)))
    assert is_near_chance(int((constant == labels).sum()), count, guessing(constant, labels))
    known = np.where(rng.random(count) < 0.9, labels, rng.integers(classes, size=count))
    assert not is_near_chance(int((known == labels).sum()), count, guessing(known, labels))
