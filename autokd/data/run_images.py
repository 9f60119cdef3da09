"""Images of a run: copied to the device, or read batch by batch from the federation.

All ways give the same batches, to the last bit. A copy on the device is faster, and one that is normalised
once for all epochs faster still. Without a copy a run needs no more memory than a batch: a federation's
arrays are mapped from its files, or are in Ray's object store, which all workers of a node share and which
continues on disk when it is full.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autokd.compute.device import Compute
from autokd.compute.free_memory import fits_in_memory, free_bytes, runs_at_once
from autokd.data.dataset import Dataset
from autokd.data.mapped_arrays import take_rows

_FLOAT_BYTES: Final = 4


@dataclass(frozen=True, slots=True, eq=False)
class Resident:
    """All images are on the device.

    Attributes:
        pixels: Images of the run, shape (m, channels, height, width).
        notice: Message for the user on where the images are: none.
    """

    pixels: Tensor
    notice: ClassVar[str] = ""

    def batch(self, chosen: Tensor) -> Tensor:
        """Return stored pixels on the device, uint8 or float32, shape (batch, channels, height, width).

        Args:
            chosen: Positions among the run's images, int64, shape (batch,), on the device or the CPU.
        """
        return self.pixels.index_select(0, chosen.to(self.pixels.device))


@dataclass(frozen=True, slots=True, eq=False)
class Streamed:
    """Each batch is read when it is needed; see `place_images` for the attributes."""

    source: NDArray[Any]
    which: NDArray[np.int64]
    device: str

    @property
    def notice(self) -> str:
        """Message for the user on where the images are."""
        # Without figures, which differ from run to run: the message is shown once.
        if torch.device(self.device).type == "cpu":
            return (
                "memory has no room for a run's images: they are read batch by batch from where the "
                "federation lies (slower, with the same results)"
            )
        return (
            f"{self.device} has no room for a run's images: they stay in the host's memory, and each batch "
            "travels (slower, with the same results)"
        )

    def batch(self, chosen: Tensor) -> Tensor:
        """Return a batch of images on the device, as `Resident.batch`."""
        return torch.from_numpy(take_rows(self.source, self.which[chosen.cpu().numpy()])).to(self.device)


Images = Resident | Streamed


def place_images(source: NDArray[Any], which: NDArray[np.int64], compute: Compute) -> Images:
    """Return the images of a run, on the device if it has room for them.

    Args:
        source: All images of the federation, shape (n, channels, height, width).
        which: Indices of the run's images, shape (m,).
        compute: Device; `compute.image_bytes` replaces its free memory as the limit.
    """
    if _fits(len(which) * (source.nbytes // max(1, len(source))), compute):
        return Resident(torch.from_numpy(take_rows(source, which)).to(compute.device))
    return Streamed(source, which, compute.device)


@dataclass(frozen=True, slots=True, eq=False)
class Normalised:
    """All images are on the device, normalised.

    Attributes:
        values: Images of the run, float32, shape (m, channels, height, width), or with the channels last, so
            that a batch has the layout of a run without a further copy.
        channels_last: Whether the channels are last.
        notice: As in `Resident`.
    """

    values: Tensor
    channels_last: bool
    notice: ClassVar[str] = ""

    def batch(self, chosen: Tensor) -> Tensor:
        """Return normalised images on the device, float32, shape (batch, channels, height, width).

        Args:
            chosen: Positions among the run's images, int64, shape (batch,), on the device.
        """
        batch = self.values.index_select(0, chosen)
        return batch.permute(0, 3, 1, 2) if self.channels_last else batch


@dataclass(frozen=True, slots=True, eq=False)
class NormalisedByBatch:
    """Images that are normalised batch by batch, each time they are used."""

    images: Images
    compute: Compute
    mean: Tensor
    std: Tensor

    @property
    def notice(self) -> str:
        """Message for the user on where the images are."""
        return self.images.notice

    def batch(self, chosen: Tensor) -> Tensor:
        """Return normalised images on the device, as `Normalised.batch`."""
        return self.compute.pixels(self.images.batch(chosen), mean=self.mean, std=self.std)


def place_normalised(
    data: Dataset, which: NDArray[np.int64], compute: Compute
) -> Normalised | NormalisedByBatch:
    """Return the images of a run for training, normalised once if the device has room for them as float32.

    Args:
        which: Indices of the run's images, shape (m,).
        compute: As in `place_images`.
    """
    mean, std = (torch.tensor(moments, device=compute.device) for moments in (data.mean, data.std))
    if not _fits(len(which) * math.prod(data.images.shape[1:]) * _FLOAT_BYTES, compute):
        return NormalisedByBatch(place_images(data.images, which, compute), compute, mean, std)
    pixels = torch.from_numpy(take_rows(data.images, which)).to(compute.device)
    channels_last = compute.memory_format == "channels_last"
    if channels_last:
        pixels = pixels.permute(0, 2, 3, 1).contiguous()
    else:
        mean, std = mean.view(-1, 1, 1), std.view(-1, 1, 1)
    # In place, since the copy is this run's own.
    return Normalised(pixels.float().sub_(mean).div_(std), channels_last)


def _fits(wanted: int, compute: Compute) -> bool:
    """Return whether images of so many bytes may be copied to the device."""
    if compute.image_bytes is not None:
        return wanted <= compute.image_bytes
    return fits_in_memory(wanted, free_bytes(compute.device), runs=runs_at_once(compute.device))
