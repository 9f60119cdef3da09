"""A log-prior in the weights adds exactly what it should to the logits, in networks of any code."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from autokd.config.federation import ExternalArchitecture
from autokd.config.images import Input
from autokd.models.adapter import Adapted
from autokd.models.architectures import Cnn, Mlp, ResNet18, Shape
from autokd.models.log_prior import LastLayer, WithLogPrior, added, find_last_layer, prepared
from autokd.models.weights import load_weights, weights_of

SHAPE = (3, 8, 8)
IMAGES = torch.randn((32, *SHAPE), generator=torch.Generator().manual_seed(5))


class Headless(nn.Module):
    """Its head is a function, so no layer is seen to make the logits."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = nn.Linear(192, 5), nn.Linear(5, 4)

    def forward(self, images: Tensor) -> Tensor:
        return F.linear(self.body(images.flatten(1)), self.head.weight, self.head.bias)


class Softmaxed(Headless):
    """Its last layer's bias is no summand of its outputs."""

    def forward(self, images: Tensor) -> Tensor:
        made: Tensor = self.head(self.body(images.flatten(1))).log_softmax(dim=1)
        return made


class Shared(Headless):
    """The layer that makes the logits also works before: its bias counts twice."""

    def forward(self, images: Tensor) -> Tensor:
        once = self.head(self.body(images.flatten(1)))
        made: Tensor = self.head(F.pad(once, (0, 1)))
        return made


def without_bias() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(192, 7), nn.ReLU(), nn.Linear(7, 4, bias=False))


def adapt(labels: tuple[int, ...], *, unknown: bool = False) -> nn.Module:
    recipe = ExternalArchitecture(name="any", outputs=5, labels=labels, input=Input())
    network = Adapted(nn.Sequential(nn.Flatten(), nn.Linear(192, 5)), recipe, channels=3)
    assert (network.unknown is not None) == unknown
    return network


FOUND = {
    "cnn": (lambda: Cnn(widths=(4, 8)).build(Shape(3, 8, 4)), "9"),
    "mlp": (lambda: Mlp(widths=(9,)).build(Shape(3, 8, 4)), "3"),
    "resnet18": (lambda: ResNet18().build(Shape(3, 8, 4)), "fc"),
    "no bias": (without_bias, "3"),
    "other order": (lambda: adapt((3, 0, 4, 1)), "network.1"),
    "one layer": (lambda: nn.Linear(8, 4), ""),
}
WRAPPED = {
    "function": Headless,
    "softmax": Softmaxed,
    "shared": Shared,
    "unknown class": lambda: adapt((3, -1, 4, 1), unknown=True),
    "convolution": lambda: nn.Sequential(nn.Conv2d(3, 4, 8), nn.Flatten()),
}


def seeded(make) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        network: nn.Module = make().eval()
    return network


def logits(network: nn.Module, images: Tensor = IMAGES) -> Tensor:
    with torch.no_grad():
        scores: Tensor = network(images)
    return scores


@pytest.mark.parametrize("name", [name for name in (*FOUND, *WRAPPED) if name != "one layer"])
def test_logits_grow_by_the_log_prior_and_shrink_again(name: str) -> None:
    network = seeded(FOUND[name][0] if name in FOUND else WRAPPED[name])
    layer = find_last_layer(deepcopy(network), SHAPE)
    assert (None if layer is None else layer.name) == (FOUND[name][1] if name in FOUND else None)
    before, weights = logits(network), weights_of(network)
    prior = np.log([0.7, 0.2, 0.099, 0.001])
    delivered = prepared(deepcopy(network), layer, classes=4).eval()
    load_weights(delivered, added(weights, layer, prior))
    torch.testing.assert_close(logits(delivered), before + torch.tensor(prior).float(), rtol=1e-5, atol=1e-5)
    # What was given is as it was.
    assert torch.equal(logits(network), before)
    assert weights_of(network).keys() == weights.keys()


def test_a_layer_may_be_the_whole_network() -> None:
    network = seeded(FOUND["one layer"][0])
    layer = find_last_layer(network, (8,))
    assert layer is not None
    assert (layer.name, layer.bias, layer.outputs) == ("", "bias", (0, 1, 2, 3))


def test_names_of_weights_stay_where_the_layer_has_a_bias() -> None:
    network = seeded(FOUND["other order"][0])
    layer = find_last_layer(deepcopy(network), SHAPE)
    assert layer is not None
    assert layer.outputs == (3, 0, 4, 1)
    weights = weights_of(network)
    folded = added(weights, layer, np.array([1.0, 2.0, 3.0, 4.0]))
    assert folded.keys() == weights.keys()
    before, after = (torch.from_numpy(each[layer.bias].copy()) for each in (weights, folded))
    torch.testing.assert_close(after - before, torch.tensor([2.0, 4.0, 0.0, 1.0, 3.0]))


def test_a_layer_without_a_bias_gets_one_and_no_other_weight_changes() -> None:
    network = seeded(without_bias)
    layer = find_last_layer(deepcopy(network), SHAPE)
    assert layer is not None
    assert not layer.has_bias
    folded = added(weights_of(network), layer, np.zeros(4))
    assert folded.keys() - weights_of(network).keys() == {"3.bias"}
    assert torch.equal(logits(prepared(network, layer, classes=4)), logits(seeded(without_bias)))


def test_a_network_that_starts_at_zero_has_its_outputs_in_order() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(192, 4))
    for parameter in network.parameters():
        nn.init.zeros_(parameter)
    layer = find_last_layer(network, SHAPE)
    assert layer is not None
    assert layer.outputs == (0, 1, 2, 3)


@given(st.lists(st.floats(-20, 5), min_size=4, max_size=4), st.booleans())
def test_adding_and_dividing_out_is_the_identity(prior: list[float], has_bias: bool) -> None:
    network = seeded(lambda: nn.Sequential(nn.Flatten(), nn.Linear(192, 4, bias=has_bias)))
    layer = LastLayer(name="1", outputs=(2, 0, 1, 3), size=4, has_bias=has_bias)
    weights, change = weights_of(network), np.array(prior)
    back = added(added(weights, layer, change), layer, -change)
    before, after = (torch.tensor(each.get(layer.bias, np.zeros(4, np.float32))) for each in (weights, back))
    torch.testing.assert_close(after, before, rtol=0, atol=1e-5)


def test_a_wrapped_network_without_a_prior_answers_as_before() -> None:
    network = seeded(Softmaxed)
    assert torch.equal(logits(WithLogPrior(network, classes=4)), logits(network))


def test_looking_for_the_layer_leaves_the_random_state_as_it_was() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Dropout(), nn.Linear(192, 4)).train()
    state = torch.get_rng_state()
    assert find_last_layer(network, SHAPE) is not None
    assert torch.equal(torch.get_rng_state(), state)
