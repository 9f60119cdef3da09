"""The networks for images of 32x32 pixels that papers on distillation compare, by their names there.

`vgg13` is also torchvision's name for another network: here it is meant with the option `stem: cifar` only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Final

from torch import nn

from autokd.models.cifar_compact import MobileNetV2, ShuffleNetV2, Vgg
from autokd.models.cifar_residual import CifarResNet, WideResNet

_PLAIN: Final = (16, 16, 32, 64)
_FOURFOLD: Final = (32, 64, 128, 256)

RESIDUAL: Final[Mapping[str, Callable[..., nn.Module]]] = MappingProxyType(
    {f"resnet{depth}": partial(CifarResNet, depth, _PLAIN) for depth in (8, 14, 20, 32, 44, 56, 110)}
    | {f"resnet{depth}x4": partial(CifarResNet, depth, _FOURFOLD) for depth in (8, 32)}
)
"""Networks that take the option `shortcut`."""
KD_NETWORKS: Final[Mapping[str, Callable[..., nn.Module]]] = MappingProxyType(
    {
        **RESIDUAL,
        **{
            f"wrn_{depth}_{widening}": partial(WideResNet, depth, widening)
            for depth in (16, 40)
            for widening in (1, 2)
        },
        "vgg8": partial(Vgg, ((64,), (128,), (256,), (512,), (512,))),
        "vgg13": partial(Vgg, ((64, 64), (128, 128), (256, 256), (512, 512), (512, 512))),
        "MobileNetV2": MobileNetV2,
        "ShuffleNetV2": ShuffleNetV2,
    }
)
"""Each takes `channels` of images and the number of `classes`."""
_ALSO_TORCHVISIONS: Final = frozenset({"vgg13"})


def other_meaning(name: str, options: Mapping[str, object]) -> str:
    """Return what to say where a name is taken for torchvision's, and may be meant for one of these."""
    if name not in _ALSO_TORCHVISIONS or "stem" in options:
        return ""
    return f"{name} is torchvision's; for that of papers on distillation say options: {{stem: cifar}}"


def is_kd_network(name: str, options: Mapping[str, object]) -> bool:
    """Return whether a network's name and options mean one of these."""
    return name in KD_NETWORKS and (name not in _ALSO_TORCHVISIONS or options.get("stem") == "cifar")
