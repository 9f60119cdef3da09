"""The networks of papers on distillation: counts of parameters, names of weights, and what is computed."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from autokd.config.external import Network
from autokd.config.federation import ArchitectureConfig, ExternalArchitecture
from autokd.errors import PlanError
from autokd.federation.external_models import _load
from autokd.models.adapter import Adapted, external_network
from autokd.models.architectures import Shape
from autokd.models.building import build
from autokd.models.checkpoint import Checkpoint
from autokd.models.kd_networks import KD_NETWORKS, other_meaning
from autokd.models.matching import fit

PUBLISHED = {
    "resnet8x4": 1.23,
    "resnet20": 0.28,
    "resnet32": 0.47,
    "resnet56": 0.86,
    "resnet110": 1.74,
    "resnet32x4": 7.43,
    "wrn_16_1": 0.18,
    "wrn_16_2": 0.70,
    "wrn_40_1": 0.57,
    "wrn_40_2": 2.26,
    "vgg8": 3.97,
    "vgg13": 9.46,
    "MobileNetV2": 0.81,
    "ShuffleNetV2": 1.36,
}
"""Millions of parameters with 100 classes, as papers on distillation state them (Tian et al. 2020,
arXiv:1910.10699, and those after it)."""
OF_HE = {"resnet20": 0.27, "resnet32": 0.46, "resnet44": 0.66, "resnet56": 0.85, "resnet110": 1.7}
"""Millions of parameters with 10 classes, without convolutions as shortcuts (He et al. 2016,
arXiv:1512.03385, table 6)."""


def make(name: str, classes: int = 100, **options: object) -> nn.Module:
    stem = {"stem": "cifar"} if name == "vgg13" else {}
    recipe = ArchitectureConfig.model_validate({"name": name, "options": {**stem, **options}})
    return build(recipe, channels=3, size=32, classes=classes).eval()


def millions(network: nn.Module) -> float:
    return sum(parameter.numel() for parameter in network.parameters()) / 1e6


@pytest.mark.parametrize("name", sorted(KD_NETWORKS))
def test_they_have_the_published_size_and_answer_images(name: str) -> None:
    network = make(name)
    if name in PUBLISHED:
        assert round(millions(network), 2) == PUBLISHED[name]
    with torch.no_grad():
        answers = network(torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0)))
    assert answers.shape == (2, 100)
    assert bool(torch.isfinite(answers).all())
    assert bool((answers[0] != answers[1]).any())


def test_the_table_lacks_none_of_those_asked_for() -> None:
    assert PUBLISHED.keys() | OF_HE.keys() | {"resnet8", "resnet14"} == KD_NETWORKS.keys()


@pytest.mark.parametrize(("name", "count"), OF_HE.items())
def test_without_convolutions_in_shortcuts_they_are_those_of_the_first_paper(name: str, count: float) -> None:
    assert millions(make(name, 10, shortcut="pad")) == pytest.approx(count, abs=0.03 if count > 1 else 0.006)


@pytest.mark.parametrize(
    ("name", "places"),
    [
        ("resnet8x4", ["conv1.weight", "bn1.bias", "layer1.0.downsample.0.weight", "fc.bias"]),
        ("resnet20", ["layer2.0.downsample.1.running_var", "layer3.2.conv2.weight"]),
        ("wrn_40_2", ["block1.layer.0.convShortcut.weight", "block3.layer.5.bn2.bias", "fc.weight"]),
        ("vgg8", ["block0.0.weight", "block0.1.running_mean", "block4.0.bias", "classifier.weight"]),
        ("vgg13", ["block0.3.weight", "block0.4.bias", "block4.4.running_var"]),
        ("MobileNetV2", ["conv1.0.weight", "blocks.6.0.conv.7.bias", "classifier.0.bias"]),
        ("ShuffleNetV2", ["layer1.0.conv5.weight", "layer2.7.bn3.bias", "conv2.weight", "linear.bias"]),
    ],
)  # fmt: skip
def test_weights_are_called_as_in_the_checkpoints_of_repdistiller(name: str, places: list[str]) -> None:
    assert set(places) <= make(name).state_dict().keys()


@pytest.mark.parametrize(("name", "sizes"), [("resnet20", [32, 16, 8]), ("resnet8x4", [32, 16, 8])])
def test_a_resnet_halves_the_image_twice(name: str, sizes: list[int]) -> None:
    network, seen = make(name), []
    for stage in (1, 2, 3):
        layer = network.get_submodule(f"layer{stage}")
        layer.register_forward_hook(lambda _, __, output: seen.append(output.shape[-1]))
    network(torch.zeros(1, 3, 32, 32))
    assert seen == sizes


def test_padded_shortcuts_pass_every_second_pixel_and_nothing_in_new_channels() -> None:
    """A block whose convolutions are silenced is its shortcut and a ReLU."""
    block = make("resnet20", shortcut="pad").get_submodule("layer2.0")
    nn.init.zeros_(block.bn2.weight)  # type: ignore[union-attr, arg-type]
    images = torch.rand(1, 16, 8, 8)
    output = block(images)
    assert torch.equal(output[:, 8:24], images[:, :, ::2, ::2])
    assert not output[:, :8].any()
    assert not output[:, 24:].any()


def test_a_wide_block_that_is_silenced_passes_its_images() -> None:
    block = make("wrn_16_2").get_submodule("block1.layer.1")
    nn.init.zeros_(block.conv2.weight)  # type: ignore[union-attr, arg-type]
    images = torch.randn(1, 32, 8, 8)
    assert torch.equal(block(images), images)


def test_shuffling_interleaves_the_halves() -> None:
    block = make("ShuffleNetV2").get_submodule("layer1.1")
    images = torch.rand(1, 116, 4, 4)
    assert torch.equal(block(images)[:, ::2], images[:, :58])


def test_names_of_pytorch_cifar_are_the_same_weights() -> None:
    """`linear` and `shortcut` there are `fc` and `downsample` here and in torchvision."""
    network = external_network(
        Network(name="resnet18", options={"stem": "cifar", "num_classes": 10}), shape=Shape(3, 32, 10)
    )
    theirs = {
        f"module.{name}".replace("module.fc.", "module.linear.").replace("downsample", "shortcut"): value
        for name, value in network.state_dict().items()
    }
    other = external_network(
        Network(name="resnet18", options={"stem": "cifar", "num_classes": 10}), shape=Shape(3, 32, 10)
    )
    fit(other, Checkpoint({"net": theirs}), Path("ckpt.pth"))
    assert all(torch.equal(value, other.state_dict()[name]) for name, value in network.state_dict().items())
    with pytest.raises(PlanError, match="another architecture"):
        fit(make("resnet20"), Checkpoint({"net": theirs}), Path("ckpt.pth"))


def test_the_card_s_script_makes_the_network_again() -> None:
    from autokd.models.architectures import KdNetwork, architecture

    built = architecture(ArchitectureConfig(name="resnet20", options={"shortcut": "pad"}))
    assert built == KdNetwork(network="resnet20", shortcut="pad")


def test_vgg13_alone_is_torchvisions() -> None:
    plain = external_network(Network(name="vgg13", options={"num_classes": 2}), shape=Shape(3, 32, 2))
    assert "features.0.weight" in plain.state_dict()
    own = external_network(
        Network(name="vgg13", options={"stem": "cifar", "num_classes": 2}), shape=Shape(3, 32, 2)
    )
    assert "block0.0.weight" in own.state_dict()


def test_where_vgg13_is_torchvisions_the_other_one_is_named() -> None:
    assert "say options: {stem: cifar}" in other_meaning("vgg13", {})
    for name, options in (
        ("vgg13", {"stem": "cifar"}),
        ("vgg13", {"stem": "usual"}),
        ("vgg11", {}),
        ("vgg8", {}),
    ):
        assert other_meaning(name, options) == ""
    network = ExternalArchitecture(name="vgg13", outputs=2, labels=(0, 1))
    module = Adapted(nn.Linear(3, 2), network, channels=None)
    state = Checkpoint.of({"block0.0.weight": torch.zeros(1)})
    with pytest.raises(PlanError, match=r"another architecture\?; vgg13 is torchvision's.*stem: cifar"):
        _load(module, Network(name="vgg13"), state, Path("ckpt.pth"), None)


def test_an_option_that_a_network_does_not_have_is_refused() -> None:
    for name, options in (("vgg8", {"shortcut": "pad"}), ("resnet20", {"width": 2})):
        with pytest.raises(PlanError):
            make(name, **options)
