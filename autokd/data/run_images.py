"""Images of a run: copied to the device, or read batch by batch from the federation.

All ways give the same batches, to the last bit. A copy on the device is faster, and one that is normalised
once for all epochs faster still. Without a copy a run needs no more memory than a batch: a federation's
arrays are mapped from its files, or are in Ray's object store, which all workers of a node share and which
continues on disk when it is full.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
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
class TrainingImages:
    """Normalised images of a run, which arrive in its memory format.

    Attributes:
        stored: Images on the device, shape (m, channels, height, width), or (m, height, width, channels) if
            the run is channels_last: a batch needs no further copy then. Or where they are read from.
        is_normalised: Whether they are stored as normalised float32; else each batch is normalised.
        channels_last: Whether the run is channels_last.
        mean, std: Moments of each pixel, in the shape of a stored image: one for each channel takes many
            times as long if the channels are last. Tensors that are no images have none.
    """

    stored: Tensor | Streamed
    is_normalised: bool
    channels_last: bool
    mean: Tensor
    std: Tensor

    @property
    def notice(self) -> str:
        """Message for the user on where the images are."""
        return self.stored.notice if isinstance(self.stored, Streamed) else ""

    def batch(self, chosen: Tensor) -> Tensor:
        """Return normalised images on the device, float32, shape (batch, channels, height, width).

        Tensors that are no images come as they are stored.

        Args:
            chosen: Positions among the run's images, int64, shape (batch,), on the device.
        """
        if isinstance(self.stored, Streamed):
            images = _arranged(self.stored.batch(chosen), channels_last=self.channels_last)
        else:
            images = self.stored.index_select(0, chosen)
        values = images if self.is_normalised else self._normalised(images)
        return values.permute(0, 3, 1, 2) if self.channels_last else values

    def _normalised(self, images: Tensor) -> Tensor:
        # In place in a copy, which saves the memory of two further ones.
        return images.to(torch.float32, copy=True).sub_(self.mean).div_(self.std)


def place_for_training(data: Dataset, which: NDArray[np.int64], compute: Compute) -> TrainingImages:
    """Return the images of a run: normalised once if the device has room for them as float32.

    Args:
        which: Indices of the run's images, shape (m,).
        compute: As in `place_images`.
    """
    if data.is_tensor:
        # Networks get them as they are stored.
        tensors, none = place_images(data.images, which, compute), torch.empty(0)
        stored = tensors if isinstance(tensors, Streamed) else tensors.pixels
        return TrainingImages(stored, True, False, none, none)
    channels_last = compute.memory_format == "channels_last"
    shape = (len(data.mean), 1, 1)
    mean, std = (
        _arranged(
            torch.tensor(moments, device=compute.device).view(shape).expand(data.images.shape[1:])[None],
            channels_last=channels_last,
        )[0]
        for moments in (data.mean, data.std)
    )
    placed = place_images(data.images, which, compute)
    if isinstance(placed, Streamed):
        return TrainingImages(placed, False, channels_last, mean, std)
    pixels = _arranged(placed.pixels, channels_last=channels_last)
    images = TrainingImages(pixels, False, channels_last, mean, std)
    if _fits(len(which) * math.prod(data.images.shape[1:]) * _FLOAT_BYTES, compute):
        return replace(images, stored=images._normalised(pixels), is_normalised=True)
    return images


def _arranged(images: Tensor, *, channels_last: bool) -> Tensor:
    """Return images with the channels last, if they are to be; its strides are those of the new order."""
    if not channels_last:
        return images
    return images.permute(0, 2, 3, 1).clone(memory_format=torch.contiguous_format)


def _fits(wanted: int, compute: Compute) -> bool:
    """Return whether images of so many bytes may be copied to the device."""
    if compute.image_bytes is not None:
        return wanted <= compute.image_bytes
    return fits_in_memory(wanted, free_bytes(compute.device), runs=runs_at_once(compute.device))
