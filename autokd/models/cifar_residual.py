"""Residual networks for images of 32x32 pixels, as papers on distillation compare them.

Their weights have the names of RepDistiller's and mdistiller's checkpoints.
"""

from __future__ import annotations

from typing import Final, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_STAGES: Final = 3
"""Stages of blocks; each but the first halves the image."""


def he_normal(network: nn.Module, *, linear: float | None = None) -> None:
    """Draw the weights of convolutions by He et al. 2015, arXiv:1502.01852, from the outputs' number.

    Args:
        linear: Standard deviation of fully connected layers, whose biases become 0; by default they stay.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            # As if there were no groups, as in the repositories: a depthwise filter starts small.
            count = module.kernel_size[0] * module.kernel_size[1] * module.out_channels
            nn.init.normal_(module.weight, 0.0, (2 / count) ** 0.5)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif linear is not None and isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, 0.0, linear)
            nn.init.zeros_(module.bias)


def convolution(inputs: int, outputs: int, size: int, *, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    """Return a convolution without bias that keeps the image's size, but for the stride."""
    padding = size // 2
    return nn.Conv2d(inputs, outputs, size, stride=stride, padding=padding, groups=groups, bias=False)


class _Block(nn.Module):
    """Two 3x3 convolutions and a shortcut. Source: He et al. 2016, arXiv:1512.03385, figure 5."""

    def __init__(self, inputs: int, outputs: int, *, stride: int, shortcut: str) -> None:
        super().__init__()
        self.conv1, self.bn1 = convolution(inputs, outputs, 3, stride=stride), nn.BatchNorm2d(outputs)
        self.conv2, self.bn2 = convolution(outputs, outputs, 3), nn.BatchNorm2d(outputs)
        self.stride, self.added = stride, outputs - inputs
        self.downsample: nn.Module | None = None
        if shortcut == "conv" and (stride > 1 or self.added):
            self.downsample = nn.Sequential(
                convolution(inputs, outputs, 1, stride=stride), nn.BatchNorm2d(outputs)
            )

    def forward(self, images: Tensor) -> Tensor:
        kept = images
        if self.downsample is not None:
            kept = self.downsample(images)
        elif self.stride > 1 or self.added:
            before = self.added // 2
            kept = F.pad(
                images[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, before, self.added - before)
            )
        inside = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(images)))))
        return F.relu(inside + kept)


class CifarResNet(nn.Module):
    """A residual network of 6n + 2 layers. Source: He et al. 2016, section 4.2.

    Args:
        widths: Channels of the first convolution and of each stage.
        shortcut: Where the shape changes: `conv` is a 1x1 convolution (option B of the paper), `pad` takes
            every second pixel, with zeros as new channels, half of them before the others (option A).
    """

    def __init__(
        self,
        depth: int,
        widths: tuple[int, int, int, int],
        *,
        channels: int,
        classes: int,
        shortcut: Literal["conv", "pad"] = "conv",
    ) -> None:
        super().__init__()
        self.conv1, self.bn1 = convolution(channels, widths[0], 3), nn.BatchNorm2d(widths[0])
        for stage in range(_STAGES):
            inputs, outputs = widths[stage], widths[stage + 1]
            blocks = [
                _Block(
                    inputs if number == 0 else outputs,
                    outputs,
                    stride=2 if number == 0 and stage > 0 else 1,
                    shortcut=shortcut,
                )
                for number in range((depth - 2) // 6)
            ]
            self.add_module(f"layer{stage + 1}", nn.Sequential(*blocks))
        self.fc = nn.Linear(widths[-1], classes)
        he_normal(self)

    def forward(self, images: Tensor) -> Tensor:
        hidden = F.relu(self.bn1(self.conv1(images)))
        for stage in range(_STAGES):
            hidden = self.get_submodule(f"layer{stage + 1}")(hidden)
        logits: Tensor = self.fc(hidden.mean(dim=(2, 3)))
        return logits


class _WideBlock(nn.Module):
    """Normalisation and ReLU come before each convolution. Source: He et al. 2016, arXiv:1603.05027."""

    def __init__(self, inputs: int, outputs: int, *, stride: int) -> None:
        super().__init__()
        self.bn1, self.conv1 = nn.BatchNorm2d(inputs), convolution(inputs, outputs, 3, stride=stride)
        self.bn2, self.conv2 = nn.BatchNorm2d(outputs), convolution(outputs, outputs, 3)
        self.convShortcut = None if inputs == outputs else convolution(inputs, outputs, 1, stride=stride)

    def forward(self, images: Tensor) -> Tensor:
        active = F.relu(self.bn1(images))
        kept = images if self.convShortcut is None else self.convShortcut(active)
        inside: Tensor = self.conv2(F.relu(self.bn2(self.conv1(active))))
        return inside + kept


class _Stage(nn.Module):
    """The blocks of one stage under the name `layer`."""

    def __init__(self, blocks: list[nn.Module]) -> None:
        super().__init__()
        self.layer = nn.Sequential(*blocks)

    def forward(self, images: Tensor) -> Tensor:
        hidden: Tensor = self.layer(images)
        return hidden


class WideResNet(nn.Module):
    """A wide residual network of 6n + 4 layers. Source: Zagoruyko and Komodakis 2016, arXiv:1605.07146."""

    def __init__(self, depth: int, widening: int, *, channels: int, classes: int) -> None:
        super().__init__()
        widths = (16, 16 * widening, 32 * widening, 64 * widening)
        self.conv1 = convolution(channels, widths[0], 3)
        for stage in range(_STAGES):
            inputs, outputs = widths[stage], widths[stage + 1]
            blocks: list[nn.Module] = [
                _WideBlock(
                    inputs if number == 0 else outputs, outputs, stride=2 if number == 0 and stage > 0 else 1
                )
                for number in range((depth - 4) // 6)
            ]
            self.add_module(f"block{stage + 1}", _Stage(blocks))
        self.bn1 = nn.BatchNorm2d(widths[-1])
        self.fc = nn.Linear(widths[-1], classes)
        he_normal(self)
        nn.init.zeros_(self.fc.bias)

    def forward(self, images: Tensor) -> Tensor:
        hidden = self.conv1(images)
        for stage in range(_STAGES):
            hidden = self.get_submodule(f"block{stage + 1}")(hidden)
        logits: Tensor = self.fc(torch.relu(self.bn1(hidden)).mean(dim=(2, 3)))
        return logits
