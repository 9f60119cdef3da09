"""Networks of participants, by name. A new one is a class here whose fields are its options in recipes."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from itertools import pairwise
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal, final

from pydantic import Field, ValidationError
from torch import Tensor, nn

from autokd.config.base import Frozen
from autokd.config.federation import ArchitectureConfig
from autokd.config.mistakes import problems_of
from autokd.config.numbers import Whole
from autokd.errors import UnknownName
from autokd.models.kd_networks import KD_NETWORKS, RESIDUAL, is_kd_network
from autokd.models.shapes import AnyShape as AnyShape
from autokd.models.shapes import Shape as Shape
from autokd.models.shapes import TensorShape as TensorShape
from autokd.text.quoting import one_of

Widths = Annotated[tuple[Annotated[Whole, Field(ge=1)], ...], Field(min_length=1)]


class Architecture(Frozen, ABC):
    """A family of networks; its fields are its options."""

    @abstractmethod
    def build(self, shape: Shape) -> nn.Module:
        """Return a network from images (batch, channels, height, width) to logits (batch, classes).

        Raises:
            ValueError: If the options do not fit the shape.
        """


@final
class Cnn(Architecture):
    """Conv 3x3 - BatchNorm - ReLU blocks, halved in size between blocks, averaged over space at the end.

    The halving by the maximum comes before the ReLU, which then has a quarter of the work: both orders give
    the same bits, since ReLU never changes which of two values is the larger.
    """

    widths: Widths = (16, 32, 64)
    batch_norm: bool = True

    def build(self, shape: Shape) -> nn.Module:
        halvings = len(self.widths) - 1
        if min(shape.pixels) < 2**halvings:
            blocks = f"{len(self.widths)} blocks halve the image {halvings} times"
            raise ValueError(f"{blocks}; {min(shape.pixels)} pixels are too few")
        layers: list[nn.Module] = []
        for number, (before, after) in enumerate(pairwise((shape.channels, *self.widths))):
            # BatchNorm has a bias of its own.
            layers.append(nn.Conv2d(before, after, 3, padding=1, bias=not self.batch_norm))
            layers += [nn.BatchNorm2d(after)] if self.batch_norm else []
            layers += [nn.MaxPool2d(2)] if number < halvings else []
            layers.append(nn.ReLU())
        head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(self.widths[-1], shape.classes)]
        return nn.Sequential(*layers, *head)


@final
class _AsFloats(nn.Flatten):
    """Flattens whole numbers, which count as what they are."""

    def forward(self, inputs: Tensor) -> Tensor:
        return super().forward(inputs).float()


@final
class Mlp(Architecture):
    """Fully connected layers with ReLU between them, no normalisation. It takes inputs of any shape."""

    widths: Widths = (64,)

    def build(self, shape: AnyShape) -> nn.Module:
        of_whole = isinstance(shape, TensorShape) and shape.whole
        layers: list[nn.Module] = [_AsFloats() if of_whole else nn.Flatten()]
        for before, after in pairwise((math.prod(shape.inputs), *self.widths)):
            layers += [nn.Linear(before, after), nn.ReLU()]
        return nn.Sequential(*layers, nn.Linear(self.widths[-1], shape.classes))


@final
class ResNet18(Architecture):
    """torchvision's ResNet-18 (He et al. 2016, arXiv:1512.03385).

    The `usual` stem (7x7, stride 2, then max-pool) shrinks an image fourfold before the first block; the
    `cifar` stem of the paper's section 4.2 (3x3, stride 1, no pooling) does not, for some 8 times the cost.
    """

    stem: Literal["usual", "cifar"] = "usual"

    def build(self, shape: Shape) -> nn.Module:
        # Imported here, since it takes seconds and only this network needs it.
        import torchvision

        network: nn.Module = torchvision.models.resnet18(weights=None, num_classes=shape.classes)
        change_stem(network, self.stem, shape.channels)
        return network


def change_stem(resnet: Any, stem: str, channels: int) -> None:
    """Replace the first layers of one of torchvision's ResNets as its stem and the images need."""
    width = resnet.conv1.out_channels
    if stem == "cifar":
        resnet.conv1 = nn.Conv2d(channels, width, 3, stride=1, padding=1, bias=False)
        resnet.maxpool = nn.Identity()
    elif channels != 3:
        resnet.conv1 = nn.Conv2d(channels, width, 7, stride=2, padding=3, bias=False)


@final
class KdNetwork(Architecture):
    """A network for images of 32x32 pixels that papers on distillation compare; see `kd_networks`.

    Attributes:
        num_classes: Number of outputs; by default that of the classes.
        shortcut: As in `CifarResNet`, an option of `resnet20` and the like only.
    """

    network: str
    num_classes: Whole | None = Field(default=None, ge=1)
    stem: Literal["cifar"] = "cifar"
    shortcut: Literal["conv", "pad"] | None = None

    def build(self, shape: Shape) -> nn.Module:
        if self.shortcut is not None and self.network not in RESIDUAL:
            raise ValueError(f"shortcut is an option of {one_of(RESIDUAL)}")
        options = {} if self.shortcut is None else {"shortcut": self.shortcut}
        classes = self.num_classes or shape.classes
        return KD_NETWORKS[self.network](channels=shape.channels, classes=classes, **options)


ARCHITECTURES: Final[Mapping[str, type[Architecture]]] = MappingProxyType(
    {"cnn": Cnn, "mlp": Mlp, "resnet18": ResNet18}
)
"""Architectures that a recipe may name."""


def built(network: Architecture, shape: AnyShape) -> nn.Module:
    """Return the network for inputs of any kind.

    Raises:
        ValueError: If it cannot be built for them.
    """
    if isinstance(network, Mlp):
        return network.build(shape)
    return network.build(shape.as_images if isinstance(shape, TensorShape) else shape)


def architecture(recipe: ArchitectureConfig) -> Architecture:
    """Return the architecture that a recipe names, with validated options.

    Raises:
        UnknownName: If there is no architecture of that name.
        PlanError: If it has no such option, or the option's value does not hold.
    """
    options: dict[str, Any] = dict(recipe.options)
    known: type[Architecture] | None = ARCHITECTURES.get(recipe.name)
    if known is None and is_kd_network(recipe.name, options):
        known, options = KdNetwork, {**options, "network": recipe.name}
    if known is None:
        raise UnknownName(kind="architecture", name=recipe.name, known=[*ARCHITECTURES, *KD_NETWORKS])
    try:
        return known(**options)
    except ValidationError as error:
        source = f"architecture {recipe.name}"
        raise problems_of(error, recipe.options, source=source, model=known) from None
