from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from autokd.config.federation import ArchitectureConfig
from autokd.errors import PlanError, UnknownName
from autokd.federation.federation import Federation
from autokd.federation.networks import network
from autokd.models.architectures import ARCHITECTURES
from autokd.models.building import build
from autokd.models.weights import load_weights, weights_of


def make(name: str, *, channels: int = 1, size: int = 8, seed: int = 0, **options: Any) -> nn.Module:
    recipe = ArchitectureConfig(name=name, options=options)
    return build(recipe, channels=channels, size=size, classes=10, seed=seed)


def parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize("name", sorted(ARCHITECTURES))
@pytest.mark.parametrize(("channels", "size"), [(1, 8), (3, 32)])
def test_every_architecture_maps_images_to_logits(name: str, channels: int, size: int) -> None:
    module = make(name, channels=channels, size=size)
    assert module(torch.zeros(2, channels, size, size)).shape == (2, 10)


def test_the_cnn_has_the_parameters_of_its_formula() -> None:
    convolutions = 9 * (1 * 16 + 16 * 32 + 32 * 64)
    normalisations = 2 * (16 + 32 + 64)
    assert parameters(make("cnn", widths=(16, 32, 64))) == convolutions + normalisations + 64 * 10 + 10


def test_without_batch_norm_the_cnns_convolutions_have_biases_of_their_own() -> None:
    module = make("cnn", widths=(16, 32, 64), batch_norm=False)
    kinds = [type(part) for part in module.modules()]
    assert nn.BatchNorm2d not in kinds
    assert kinds.count(nn.ReLU) == 3
    convolutions = 9 * (1 * 16 + 16 * 32 + 32 * 64) + (16 + 32 + 64)
    assert parameters(module) == convolutions + 64 * 10 + 10


def test_the_mlp_has_the_parameters_of_its_formula() -> None:
    assert parameters(make("mlp", widths=(5, 7))) == (64 * 5 + 5) + (5 * 7 + 7) + (7 * 10 + 10)


def test_resnet18_is_that_of_torchvision_and_the_cifar_stem_keeps_the_image_size() -> None:
    # 11,689,512 with 1,000 classes is torchvision's published count.
    assert parameters(make("resnet18", channels=3)) == 11_689_512 - 990 * 513
    sizes = {}
    for stem in ("usual", "cifar"):
        module = make("resnet18", channels=3, size=32, stem=stem)
        seen: list[int] = []
        module.get_submodule("layer1").register_forward_hook(
            lambda _module, _inputs, output, seen=seen: seen.append(output.shape[-1])
        )
        module(torch.zeros(2, 3, 32, 32))
        sizes[stem] = seen
    assert sizes == {"usual": [8], "cifar": [32]}


def test_the_seed_decides_the_weights_and_global_random_state_is_left_alone() -> None:
    before = torch.get_rng_state()
    first, same, other = (weights_of(make("cnn", seed=seed))["0.weight"] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, same)
    assert (first != other).any()
    assert torch.equal(torch.get_rng_state(), before)


def test_an_unknown_architecture_lists_the_known_ones() -> None:
    with pytest.raises(
        UnknownName, match=r"'resnet19'; known: .*cnn, mlp, .*resnet18.* Did you mean 'resnet1"
    ):
        make("resnet19")


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("cnn", {"width": 3}, "architecture cnn: width: .*unknown field.* known here: widths, batch_norm$"),
        ("cnn", {"batch_norm": "none"}, "architecture cnn: batch_norm: must be true or false"),
        ("cnn", {"widths": ()}, "architecture cnn: widths: "),
        ("mlp", {"widths": (8, 0)}, r"architecture mlp: widths\.1: must be at least 1"),
        ("resnet18", {"stem": "small"}, "architecture resnet18: stem: .*'usual' or 'cifar'"),
        ("cnn", {"widths": (4, 4, 4, 4, 4)}, "architecture cnn: options: .*8 pixels are too few"),
    ],
)
def test_a_wrong_option_is_named_with_what_is_allowed(
    name: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(PlanError, match=message):
        make(name, **options)


def test_loaded_weights_are_copies() -> None:
    module = make("cnn", seed=1)
    weights = weights_of(module)
    assert not any(value.flags.writeable for value in weights.values())
    other = make("cnn", seed=2)
    load_weights(other, weights)
    kept = {name: value.copy() for name, value in weights.items()}
    with torch.no_grad():
        for value in (*module.state_dict().values(), *other.state_dict().values()):
            value.add_(1)
    for name, value in weights.items():
        np.testing.assert_array_equal(value, kept[name])


def test_weights_of_another_network_are_refused() -> None:
    with pytest.raises(ValueError, match="another network"):
        load_weights(make("cnn"), weights_of(make("mlp")))


def test_a_network_of_a_federation_is_fresh_in_eval_mode_and_answers_as_stored(
    federation: Federation,
) -> None:
    for participant in range(3):
        module = network(federation, participant)
        assert not module.training
        data = federation.data
        pixels = (torch.tensor(data.images).float() - data.mean[0]) / data.std[0]
        with torch.no_grad():
            answers = module(pixels).numpy()
        np.testing.assert_allclose(answers, federation.logits[participant], atol=1e-5)
    assert network(federation, 0) is not network(federation, 0)
