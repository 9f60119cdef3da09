from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from pydantic import ValidationError
from torch import nn

from autokd.compute.device import Compute
from autokd.config.federation import ArchitectureConfig, ExternalArchitecture, FederationConfig
from autokd.config.images import Input
from autokd.core.setting import Split
from autokd.data.dataset import Dataset
from autokd.errors import Diverged, PlanError
from autokd.federation.federation import Federation
from autokd.federation.networks import network
from autokd.federation.preparation import check
from autokd.federation.pretraining import Pretrained, pretrain
from autokd.models.adapter import Adapted
from autokd.models.inference import evaluation_batch, logits_of
from autokd.models.weights import weights_of

from .conftest import make_recipe

PRIVATE: NDArray[np.int64] = np.arange(100, dtype=np.int64)


def train(
    digits: Dataset, *, participant: int = 0, compute: Compute | None = None, **training: Any
) -> Pretrained:
    recipe: FederationConfig = make_recipe(pretraining={"learning_rate": 0.05, "epochs": 3} | training)
    return pretrain(recipe, digits, PRIVATE, participant=participant, compute=compute or Compute())


def train_well(digits: Dataset, *, schedule: str = "constant", compute: Compute | None = None) -> Pretrained:
    """With the network of the shipped federations; 20 epochs take 0.2 s."""
    training = {"learning_rate": 0.05, "epochs": 20, "schedule": schedule}
    recipe = make_recipe(architectures=[{"name": "cnn"}], pretraining=training)
    return pretrain(recipe, digits, PRIVATE, participant=0, compute=compute or Compute())


def same(first: Pretrained, second: Pretrained) -> bool:
    weights = all((first.weights[name] == second.weights[name]).all() for name in first.weights)
    return weights and bool((first.logits == second.logits).all())


def right(pretrained: Pretrained, digits: Dataset, where: NDArray[np.int64]) -> float:
    return float((pretrained.logits[where].argmax(axis=1) == digits.labels[where]).mean())


def test_the_same_arguments_give_the_same_bits(digits: Dataset) -> None:
    first = train(digits)
    torch.rand(7)
    train(digits, participant=1)
    assert same(first, train(digits))


def test_participants_of_one_architecture_differ(digits: Dataset) -> None:
    recipe = make_recipe(architectures=[{"name": "mlp"}])
    first, second = (
        pretrain(recipe, digits, PRIVATE, participant=number, compute=Compute()) for number in range(2)
    )
    assert not same(first, second)


def test_global_random_state_is_left_as_it_was(digits: Dataset) -> None:
    before = torch.get_rng_state()
    train(digits)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_it_learns_its_own_examples(digits: Dataset, schedule: str) -> None:
    trained = train_well(digits, schedule=schedule)
    assert right(trained, digits, PRIVATE) > 0.95
    assert right(trained, digits, np.arange(100, 1797)) > 0.6


@pytest.mark.parametrize("compute", [Compute(precision="bfloat16"), Compute(memory_format="channels_last")])
def test_other_ways_to_compute_learn_as_well(digits: Dataset, compute: Compute) -> None:
    trained = train_well(digits, compute=compute)
    assert trained.logits.dtype == np.float32
    assert right(trained, digits, PRIVATE) > 0.9


def test_logits_are_those_of_the_weights_in_eval_mode(federation: Federation) -> None:
    for participant in federation.participants:
        module = network(federation, participant.number).train()
        answers = logits_of(module, federation.data, Compute())
        np.testing.assert_array_equal(answers, federation.logits[participant.number])
        assert not module.training
        for name, value in weights_of(module).items():
            np.testing.assert_array_equal(value, participant.weights[name])


@pytest.mark.parametrize("augmentation", ["none", "crop_flip"])
def test_streamed_images_give_the_same_bits(digits: Dataset, augmentation: str) -> None:
    resident = train(digits, augmentation=augmentation)
    streamed = train(digits, augmentation=augmentation, compute=Compute(image_bytes=0))
    assert same(resident, streamed)
    assert (resident.notice, "no room" in streamed.notice) == ("", True)


def test_a_network_is_asked_about_some_images_as_about_all(federation: Federation) -> None:
    module, where = network(federation, 0), federation.splits[Split.TEST]
    answers = logits_of(module, federation.data, Compute(), where)
    np.testing.assert_allclose(answers, federation.logits[0, where], rtol=1e-5, atol=1e-5)
    alone = replace(federation.data, images=federation.data.images[where])
    np.testing.assert_array_equal(logits_of(module, alone, Compute()), answers)


@pytest.mark.parametrize(
    ("shape", "images"),
    [((1, 8, 8), 1000), ((1, 28, 28), 1000), ((3, 32, 32), 341), ((3, 224, 224), 16)],
)
def test_a_batch_that_is_looked_at_has_few_mebibytes(shape: tuple[int, ...], images: int) -> None:
    assert evaluation_batch(nn.Identity(), shape) == images


def test_what_a_network_scales_images_to_counts() -> None:
    recipe = ExternalArchitecture(
        name="cnn", outputs=2, labels=(0, 1), input=Input(channels=3, size=224, mean=(0.0,), std=(1.0,))
    )
    larger = Adapted(nn.Identity(), recipe, channels=1)
    assert evaluation_batch(larger, (1, 8, 8)) == 16


def test_a_loss_that_explodes_says_at_which_step(digits: Dataset) -> None:
    with pytest.raises(Diverged) as caught:
        train(digits, learning_rate=1e30)
    assert 1 <= caught.value.step <= 12
    assert not np.isfinite(caught.value.loss)


def test_weights_spoilt_by_the_very_last_step_are_not_returned(digits: Dataset) -> None:
    with pytest.raises(Diverged) as caught:
        train(digits, learning_rate=1e38, batch_size=100, epochs=1)
    assert caught.value.step == 1


def test_tensors_are_trained_on_as_they_are(tmp_path: Path) -> None:
    labels = np.arange(240) % 3
    inputs = np.random.default_rng(0).normal(0, 1, (240, 5)) + 4 * np.eye(5)[labels]
    np.savez(tmp_path / "all.npz", inputs=inputs, labels=labels)
    source = {"kind": "npz", "path": str(tmp_path / "all.npz"), "values": "tensor"}
    recipe = make_recipe(
        dataset=source,
        partition={"scheme": "iid"},
        splits={"validation": 40, "confirmation": 40, "test": 40, "public": 20},
        architectures=[{"name": "mlp"}],
        pretraining={"learning_rate": 0.1, "epochs": 20},
    )
    checked = check(recipe)
    assert checked.data.is_tensor
    made = pretrain(recipe, checked.data, checked.layout.private[0], participant=0, compute=Compute())
    assert (made.logits.argmax(axis=1) == checked.data.labels).mean() > 0.9
    with pytest.raises(PlanError, match="cnn: options: takes images, and inputs are tensors of 5"):
        check(recipe.model_copy(update={"architectures": (ArchitectureConfig(name="cnn"),)}))
    with pytest.raises(ValidationError, match="augmentation is for images, and dataset says values: tensor"):
        make_recipe(
            dataset=source, pretraining={"learning_rate": 0.1, "epochs": 1, "augmentation": "crop_flip"}
        )
