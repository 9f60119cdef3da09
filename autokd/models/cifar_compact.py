"""VGG, MobileNetV2 and ShuffleNetV2 for images of 32x32 pixels, as papers on distillation compare them.

Their weights have the names of RepDistiller's and mdistiller's checkpoints.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from autokd.models.cifar_residual import convolution, he_normal

_LARGE: Final = 64
"""Images of this size (Tiny ImageNet's) are halved once more by VGG."""


class Vgg(nn.Module):
    """VGG with BatchNorm and one fully connected layer. Source: Simonyan, Zisserman 2015, arXiv:1409.1556.

    Args:
        widths: Channels of the convolutions, by stage; the first three stages halve the image.
    """

    def __init__(self, widths: tuple[tuple[int, ...], ...], *, channels: int, classes: int) -> None:
        super().__init__()
        self.stages = len(widths)
        for stage, outputs in enumerate(widths):
            layers: list[nn.Module] = []
            for width in outputs:
                layers += [nn.Conv2d(channels, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()]
                channels = width
            # The last ReLU of a stage is not part of it.
            self.add_module(f"block{stage}", nn.Sequential(*layers[:-1]))
        self.classifier = nn.Linear(channels, classes)
        he_normal(self, linear=0.01)

    def forward(self, images: Tensor) -> Tensor:
        hidden, halvings = images, 4 if images.shape[-1] == _LARGE else 3
        for stage in range(self.stages):
            hidden = F.relu(self.get_submodule(f"block{stage}")(hidden))
            if stage < halvings:
                hidden = F.max_pool2d(hidden, 2)
        logits: Tensor = self.classifier(hidden.mean(dim=(2, 3)))
        return logits


class _InvertedResidual(nn.Module):
    """A 1x1 convolution to more channels, a depthwise 3x3 one, and a 1x1 one back without ReLU."""

    def __init__(self, inputs: int, outputs: int, *, stride: int, expansion: int) -> None:
        super().__init__()
        inside = inputs * expansion
        self.adds = stride == 1 and inputs == outputs
        self.conv = nn.Sequential(
            *_normalised(convolution(inputs, inside, 1)),
            *_normalised(convolution(inside, inside, 3, stride=stride, groups=inside)),
            *_normalised(convolution(inside, outputs, 1))[:-1],
        )

    def forward(self, images: Tensor) -> Tensor:
        hidden: Tensor = self.conv(images)
        return images + hidden if self.adds else hidden


def _normalised(layer: nn.Conv2d) -> list[nn.Module]:
    return [layer, nn.BatchNorm2d(layer.out_channels), nn.ReLU()]


class MobileNetV2(nn.Module):
    """MobileNetV2 of half width. Source: Sandler et al. 2018, arXiv:1801.04381, table 2.

    Unlike the table, the first stage of 24 channels does not halve the image, as is usual for 32x32 pixels.
    """

    _STAGES: Final = (
        (1, 16, 1, 1),
        (6, 24, 2, 1),
        (6, 32, 3, 2),
        (6, 64, 4, 2),
        (6, 96, 3, 1),
        (6, 160, 3, 2),
        (6, 320, 1, 1),
    )
    """Expansion, channels at full width, blocks, and stride of the first block."""
    _LAST: Final = 1280

    def __init__(self, *, channels: int, classes: int) -> None:
        super().__init__()
        inputs = 32 // 2
        self.conv1 = nn.Sequential(*_normalised(convolution(channels, inputs, 3, stride=2)))
        self.blocks = nn.ModuleList()
        for expansion, width, count, stride in self._STAGES:
            blocks: list[nn.Module] = []
            for number in range(count):
                first = stride if number == 0 else 1
                blocks.append(_InvertedResidual(inputs, width // 2, stride=first, expansion=expansion))
                inputs = width // 2
            self.blocks.append(nn.Sequential(*blocks))
        self.conv2 = nn.Sequential(*_normalised(convolution(inputs, self._LAST, 1)))
        self.classifier = nn.Sequential(nn.Linear(self._LAST, classes))
        he_normal(self, linear=0.01)

    def forward(self, images: Tensor) -> Tensor:
        hidden = self.conv1(images)
        for stage in self.blocks:
            hidden = stage(hidden)
        logits: Tensor = self.classifier(self.conv2(hidden).mean(dim=(2, 3)))
        return logits


def _shuffled(images: Tensor) -> Tensor:
    """Return the channels of the first half and of the second in turn."""
    batch, channels, height, width = images.shape
    halves = images.view(batch, 2, channels // 2, height, width)
    return halves.transpose(1, 2).reshape(batch, channels, height, width)


class _ShuffleBlock(nn.Module):
    """Half of the channels pass, the others are convolved. Source: Ma et al. 2018, figure 3c."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self.conv1, self.bn1 = convolution(half, half, 1), nn.BatchNorm2d(half)
        self.conv2, self.bn2 = convolution(half, half, 3, groups=half), nn.BatchNorm2d(half)
        self.conv3, self.bn3 = convolution(half, half, 1), nn.BatchNorm2d(half)

    def forward(self, images: Tensor) -> Tensor:
        kept, changed = images.chunk(2, dim=1)
        changed = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(changed)))))
        return _shuffled(torch.cat([kept, F.relu(self.bn3(self.conv3(changed)))], dim=1))


class _ShuffleDown(nn.Module):
    """Halves the image on two ways side by side. Source: Ma et al. 2018, figure 3d."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        half = outputs // 2
        self.conv1, self.bn1 = convolution(inputs, inputs, 3, stride=2, groups=inputs), nn.BatchNorm2d(inputs)
        self.conv2, self.bn2 = convolution(inputs, half, 1), nn.BatchNorm2d(half)
        self.conv3, self.bn3 = convolution(inputs, half, 1), nn.BatchNorm2d(half)
        self.conv4, self.bn4 = convolution(half, half, 3, stride=2, groups=half), nn.BatchNorm2d(half)
        self.conv5, self.bn5 = convolution(half, half, 1), nn.BatchNorm2d(half)

    def forward(self, images: Tensor) -> Tensor:
        left = F.relu(self.bn2(self.conv2(self.bn1(self.conv1(images)))))
        right = self.bn4(self.conv4(F.relu(self.bn3(self.conv3(images)))))
        return _shuffled(torch.cat([left, F.relu(self.bn5(self.conv5(right)))], dim=1))


class ShuffleNetV2(nn.Module):
    """ShuffleNetV2 1x with a first layer for 32x32 pixels. Source: Ma et al. 2018, arXiv:1807.11164."""

    _STAGES: Final = ((116, 3), (232, 7), (464, 3))
    """Channels, and blocks after the one that halves the image."""
    _FIRST: Final = 24
    _LAST: Final = 1024

    def __init__(self, *, channels: int, classes: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = convolution(channels, self._FIRST, 1), nn.BatchNorm2d(self._FIRST)
        inputs = self._FIRST
        for stage, (width, count) in enumerate(self._STAGES, start=1):
            blocks: list[nn.Module] = [_ShuffleDown(inputs, width)]
            blocks += [_ShuffleBlock(width) for _ in range(count)]
            self.add_module(f"layer{stage}", nn.Sequential(*blocks))
            inputs = width
        self.conv2, self.bn2 = convolution(inputs, self._LAST, 1), nn.BatchNorm2d(self._LAST)
        self.linear = nn.Linear(self._LAST, classes)

    def forward(self, images: Tensor) -> Tensor:
        hidden = F.relu(self.bn1(self.conv1(images)))
        for stage in range(1, len(self._STAGES) + 1):
            hidden = self.get_submodule(f"layer{stage}")(hidden)
        hidden = F.relu(self.bn2(self.conv2(hidden)))
        logits: Tensor = self.linear(hidden.mean(dim=(2, 3)))
        return logits
