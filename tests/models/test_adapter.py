"""A network from elsewhere answers as it did, in the federation's terms, and can learn what it knew not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision import models, transforms
from torchvision.transforms import functional as vision

from autokd.config.external import Network
from autokd.config.federation import ExternalArchitecture
from autokd.config.images import Input
from autokd.errors import PlanError
from autokd.models.adapter import Adapted, external_network, network_code
from autokd.models.architectures import Shape
from autokd.models.building import build

PIXELS = torch.rand(6, 3, 8, 8, generator=torch.Generator().manual_seed(0))


class Recorder(nn.Module):
    """Keeps what it was given, and answers what its weight says of each channel's mean."""

    def __init__(self, outputs: int = 4) -> None:
        super().__init__()
        self.seen = torch.empty(0)
        self.linear = nn.Linear(3, outputs)

    def forward(self, images: Tensor) -> Tensor:
        self.seen = images
        answers: Tensor = self.linear(images.mean(dim=(2, 3)).expand(-1, 3))
        return answers


def adapt(network: nn.Module, labels: tuple[int, ...], **input: Any) -> Adapted:
    recipe = ExternalArchitecture(name="any", outputs=4, labels=labels, input=Input(**input))
    return Adapted(network, recipe, channels=3)


def test_it_normalises_as_torchvision_does() -> None:
    mean, std = [0.5, 0.4, 0.3], [0.2, 0.3, 0.4]
    network = Recorder()
    adapt(network, (0, 1, 2, 3), mean=mean, std=std)(PIXELS)
    assert torch.equal(network.seen, transforms.Normalize(mean, std)(PIXELS))


def test_outputs_come_in_the_order_of_the_classes() -> None:
    network = Recorder()
    bare = network(PIXELS)
    assert torch.equal(adapt(network, (0, 1, 2, 3))(PIXELS), bare)
    assert torch.equal(adapt(network, (2, 0, 3, 1))(PIXELS), bare[:, [2, 0, 3, 1]])
    # Outputs that mean none of the classes are left out.
    assert torch.equal(adapt(network, (3, 1))(PIXELS), bare[:, [3, 1]])


def test_a_class_that_it_does_not_know_is_the_least_likely_one() -> None:
    network = Recorder()
    bare, module = network(PIXELS), adapt(network, (-1, 2, 0, -1, 3, 1))
    answers = module(PIXELS)
    assert torch.equal(answers[:, [1, 2, 4, 5]], bare[:, [2, 0, 3, 1]])
    assert torch.allclose(answers[:, [0, 3]], bare.min(dim=1, keepdim=True).values - 1)
    assert {name for name in module.state_dict() if not name.startswith("network.")} == {
        "unknown.weight",
        "unknown.bias",
    }


def test_and_it_can_learn_that_class() -> None:
    """Images of two kinds, of which the network has an output for one only."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(64) % 2
    images = torch.rand(64, 3, 8, 8, generator=generator) * 0.2 + labels[:, None, None, None] * 0.5
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = adapt(Recorder(), (0, -1))
    assert (module(images).argmax(dim=1) == 0).all()
    optimizer = torch.optim.Adam(module.parameters(), lr=0.1)
    for _ in range(100):
        optimizer.zero_grad()
        F.cross_entropy(module(images), labels).backward()
        optimizer.step()
    assert (module(images).argmax(dim=1) == labels).double().mean() > 0.95


def test_grey_and_colour_and_size_are_made_to_fit() -> None:
    network = Recorder()
    recipe = ExternalArchitecture(
        name="any", outputs=4, labels=(0, 1, 2, 3), input=Input(channels=3, size=16)
    )
    Adapted(network, recipe, channels=1)(PIXELS[:, :1])
    assert network.seen.shape == (6, 3, 16, 16)
    assert torch.equal(network.seen[:, 0], network.seen[:, 2])
    expected = vision.resize(PIXELS[:, :1], [16, 16], antialias=True)
    assert torch.allclose(network.seen[:, :1], expected, atol=1e-6)
    grey = ExternalArchitecture(name="any", outputs=4, labels=(0, 1, 2, 3), input=Input(channels=1))
    Adapted(network, grey, channels=3)(PIXELS)
    assert torch.allclose(network.seen, vision.rgb_to_grayscale(PIXELS), atol=1e-3)


def test_torchvisions_networks_are_torchvisions() -> None:
    shape = Shape(channels=3, size=32, classes=5)
    for name in ("resnet18", "mobilenet_v3_small"):
        made = external_network(Network(name=name), shape=shape)
        reference = models.get_model(name, weights=None, num_classes=5)
        assert {key: value.shape for key, value in made.state_dict().items()} == {
            key: value.shape for key, value in reference.state_dict().items()
        }
    cifar = external_network(Network(name="resnet34", options={"stem": "cifar"}), shape=shape)
    assert isinstance(cifar, models.ResNet)
    assert (cifar.conv1.kernel_size, cifar.conv1.stride) == ((3, 3), (1, 1))
    assert isinstance(cifar.maxpool, nn.Identity)
    grey = external_network(Network(name="resnet18"), shape=Shape(channels=1, size=32, classes=5))
    assert grey(torch.zeros(2, 1, 32, 32)).shape == (2, 5)


def test_building_leaves_the_global_random_state_alone() -> None:
    before = torch.get_rng_state()
    recipe = ExternalArchitecture(name="resnet18", outputs=4, labels=(0, 1, 2, 3))
    first, second = (build(recipe, channels=3, size=8, classes=4, seed=1).state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_network_may_not_bring_weights() -> None:
    """They would be downloaded."""
    with pytest.raises(PlanError, match="weights is no option"):
        external_network(
            Network(name="resnet18", options={"weights": "DEFAULT"}),
            shape=Shape(channels=3, size=32, classes=5),
        )


class OwnEval(Recorder):
    """Stays in training mode, as networks that adapt to a batch do."""

    def eval(self) -> OwnEval:
        return self.train()


def test_a_network_is_asked_in_its_own_eval_mode() -> None:
    network = OwnEval()
    assert adapt(network, (0, 1, 2, 3)).eval().training is False
    assert network.training
    plain = Recorder()
    adapted = adapt(plain, (0, 1, 2, 3))
    assert adapted.eval().network.training is False
    assert adapted.train().network.training


LAZY = """
from torch import nn


def make(inputs=None):
    first = nn.LazyConv2d(4, 3) if inputs is None else nn.Conv2d(inputs, 4, 3)
    return nn.Sequential(first, nn.LazyBatchNorm2d(), nn.Flatten(), nn.LazyLinear(4))
"""


def test_lazy_layers_get_the_shapes_that_the_input_gives_them(tmp_path: Path) -> None:
    (tmp_path / "networks.py").write_text(LAZY)
    code, shape = network_code("networks:make", tmp_path), Shape(channels=3, size=8, width=11, classes=4)
    made = external_network(Network(name="networks:make"), shape=shape, code=code)
    assert {name: tuple(value.shape) for name, value in made.named_parameters()} == {
        "0.weight": (4, 3, 3, 3),
        "0.bias": (4,),
        "1.weight": (4,),
        "1.bias": (4,),
        "3.weight": (4, 4 * 6 * 9),
        "3.bias": (4,),
    }
    assert made.training
    # A look at the shape is no training.
    assert torch.equal(made.state_dict()["1.running_mean"], torch.zeros(4))
    with pytest.raises(PlanError, match="cannot give its lazy layers their shapes: RuntimeError"):
        external_network(Network(name="networks:make", options={"inputs": 7}), shape=shape, code=code)
