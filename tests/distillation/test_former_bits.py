"""Runs of studies of earlier versions, which are contiguous, keep their bits whatever is done today."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from autokd.compute.device import Compute
from autokd.config.training import DistillationConfig
from autokd.core.setting import Method, Setting, Split, TransferSet, derive_seed
from autokd.distillation import distillation_loss, examples
from autokd.distillation.targets import targets
from autokd.federation.federation import Federation
from autokd.federation.networks import network
from autokd.models.training import batches, learning_rate
from autokd.models.weights import load_weights
from tests.distillation.conftest import PAIR, RECIPE, MakeRun, make_federation
from tests.distillation.test_run import weight_bits

CONTIGUOUS = Compute(memory_format="contiguous")
FORMER_METHODS = [method for method in Method if not method.startswith("balanced")]
FORMER_SETS = (TransferSet.STUDENT, TransferSet.TEACHER, TransferSet.BOTH, TransferSet.PUBLIC)
OPTIMIZERS: dict[str, dict[str, Any]] = {
    "sgd": {"learning_rate": 0.1, "weight_decay": 0.01},
    "adam": {"optimizer": "adam", "learning_rate": 0.01, "weight_decay": 0.01},
    "adamw": {"optimizer": "adamw", "learning_rate": 0.01, "weight_decay": 0.01, "schedule": "cosine"},
}


def former_network(federation: Federation, *, batch_norm: bool) -> nn.Module:
    """The built-in CNN as it was, with the ReLU before the maximum, with the participant's weights."""
    widths = (1, 8, 16)
    layers: list[nn.Module] = []
    for number, (before, after) in enumerate(pairwise(widths)):
        layers += [nn.MaxPool2d(2)] if number else []
        layers.append(nn.Conv2d(before, after, 3, padding=1, bias=not batch_norm))
        layers += [nn.BatchNorm2d(after), nn.ReLU()] if batch_norm else [nn.ReLU()]
    student = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(widths[-1], 4))
    load_weights(student, federation.participants[PAIR.student].weights)
    return student.train()


def former_optimizer(recipe: DistillationConfig, student: nn.Module) -> torch.optim.Optimizer:
    """One kernel after another for each parameter."""
    rate, decay = recipe.learning_rate, recipe.weight_decay
    match recipe.optimizer:
        case "sgd":
            return torch.optim.SGD(
                student.parameters(), lr=rate, momentum=0.9, weight_decay=decay, foreach=False
            )
        case "adam":
            return torch.optim.Adam(student.parameters(), lr=rate, weight_decay=decay, foreach=False)
        case "adamw":
            return torch.optim.AdamW(student.parameters(), lr=rate, weight_decay=decay, foreach=False)


def former_run(
    federation: Federation, setting: Setting, recipe: DistillationConfig, student: nn.Module
) -> None:
    """The training loop as it was: each batch normalised, its targets softened, when it is used."""
    data, where = federation.data, examples(federation, PAIR, setting.transfer_set)
    mean, std = (
        torch.tensor(value, dtype=torch.float32).view(1, -1, 1, 1) for value in (data.mean, data.std)
    )
    images = torch.from_numpy(data.images[where])
    labels = None if setting.alpha is None else torch.from_numpy(data.labels[where])
    counts = tuple(torch.from_numpy(federation.label_counts(who)) for who in (PAIR.teacher, PAIR.student))
    made = targets(
        setting.method,
        teachers=[torch.from_numpy(federation.logits[PAIR.teacher, where])],
        student=torch.from_numpy(federation.logits[PAIR.student, where]),
        labels=labels,
        seen=(counts[0], counts[1]),
    )
    optimizer = former_optimizer(recipe, student)
    order = torch.Generator().manual_seed(derive_seed(federation.name, str(PAIR), 0))
    for epoch in range(recipe.epochs):
        optimizer.param_groups[0]["lr"] = learning_rate(recipe, epoch)
        for chosen in batches(len(where), recipe.batch_size, order):
            loss = distillation_loss(
                student((images[chosen].float() - mean) / std),
                made.logits[chosen],
                None if labels is None else labels[chosen],
                setting,
                trust=None if made.trust is None else made.trust[chosen],
            ).total
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


@pytest.mark.parametrize("batch_norm", [True, False])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_contiguous_runs_have_the_bits_of_the_former_loop(
    make_run: MakeRun, name: str, batch_norm: bool
) -> None:
    federation = make_federation("cnn", widths=(8, 16), batch_norm=batch_norm)
    recipe = DistillationConfig.model_validate(RECIPE.model_dump() | OPTIMIZERS[name])
    setting = Setting(temperature=3.0, alpha=0.7, transfer_set=TransferSet.BOTH)
    run = make_run(federation=federation, setting=setting, recipe=recipe, compute=CONTIGUOUS)
    list(run)
    student = former_network(federation, batch_norm=batch_norm)
    former_run(federation, setting, recipe, student)
    assert weight_bits(run.student) == weight_bits(student)


@pytest.mark.parametrize("method", FORMER_METHODS)
@pytest.mark.parametrize("on", FORMER_SETS)
def test_so_have_those_of_each_method_and_transfer_set(
    federation: Federation, make_run: MakeRun, method: Method, on: TransferSet
) -> None:
    alpha = None if on is TransferSet.PUBLIC else 0.4
    setting = Setting(temperature=2.5, alpha=alpha, transfer_set=on, method=method)
    run = make_run(setting=setting, compute=CONTIGUOUS)
    list(run)
    student = former_network(federation, batch_norm=True)
    former_run(federation, setting, RECIPE, student)
    assert weight_bits(run.student) == weight_bits(student)


@pytest.mark.parametrize("image_bytes", [None, 63 * 64, 63 * 64 - 1])
def test_so_have_those_whose_images_are_normalised_by_batch(
    federation: Federation, make_run: MakeRun, image_bytes: int | None
) -> None:
    """There is room for the images as float32, as uint8, and not at all."""
    setting = Setting(temperature=2.5, alpha=0.4, transfer_set=TransferSet.BOTH)
    run = make_run(setting=setting, compute=replace(CONTIGUOUS, image_bytes=image_bytes))
    list(run)
    student = former_network(federation, batch_norm=True)
    former_run(federation, setting, RECIPE, student)
    assert weight_bits(run.student) == weight_bits(student)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("batch_norm", [True, False])
def test_the_maximum_before_the_relu_changes_no_bit_of_a_training(
    memory_format: torch.memory_format, batch_norm: bool
) -> None:
    federation = make_federation("cnn", widths=(8, 16), batch_norm=batch_norm)
    former = former_network(federation, batch_norm=batch_norm)
    today = network(federation, PAIR.student).train()
    assert list(former.state_dict()) == list(today.state_dict())
    pixels = torch.tensor(federation.data.images).float() / 8 - 1
    labels = torch.tensor(federation.data.labels)
    for student in (former, today):
        student.to(memory_format=memory_format)
        optimizer = torch.optim.SGD(student.parameters(), lr=0.1, momentum=0.9)
        for chosen in torch.arange(233).split(16) * 3:
            # Many exact zeros and equal values, where the two orders could part.
            images = pixels[chosen].round().to(memory_format=memory_format)
            optimizer.zero_grad()
            F.cross_entropy(student(images), labels[chosen]).backward()
            optimizer.step()
    assert weight_bits(today) == weight_bits(former)
    before = federation.participants[PAIR.student].weights
    assert any((today.state_dict()[name].numpy() != before[name]).any() for name in before)


def test_a_channels_last_run_rounds_differently_and_little(federation: Federation, make_run: MakeRun) -> None:
    """Otherwise these tests would compare a format with itself."""
    runs = [make_run(compute=Compute(memory_format=name)) for name in ("contiguous", "channels_last")]
    (contiguous,), (other,) = runs
    assert weight_bits(runs[0].student) != weight_bits(runs[1].student)
    accuracies = [rung.evaluations[Split.VALIDATION].accuracy for rung in (contiguous, other)]
    assert abs(accuracies[0] - accuracies[1]) < 0.15
