"""Random changes of training images that keep their class."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def crop_and_flip(images: Tensor, generator: torch.Generator, *, padding: int = 4) -> Tensor:
    """Shift each image by up to `padding` pixels each way, filled with black, and mirror half of them.

    The same as torchvision's RandomCrop(size, padding) and RandomHorizontalFlip on each image.
    Source: He et al. 2016, arXiv:1512.03385, section 4.2.

    Args:
        images: Images of any type, shape (batch, channels, size, size), on any device.
        generator: Generator on the CPU, so that the draws are the same on all devices.
    """
    count, _, height, width = images.shape
    down, right = torch.randint(2 * padding + 1, (2, count, 1), generator=generator).to(images.device)
    mirrored = (torch.rand(count, 1, generator=generator) < 0.5).to(images.device)
    columns = torch.arange(width, device=images.device)
    columns = torch.where(mirrored, width - 1 - columns, columns) + right
    rows = torch.arange(height, device=images.device) + down
    padded = F.pad(images, (padding,) * 4)
    which = torch.arange(count, device=images.device)[:, None, None]
    # With indices on both sides of the channels, NumPy's rule puts the channels last.
    return padded[which, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2).contiguous()
