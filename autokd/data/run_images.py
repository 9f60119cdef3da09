"""Images of a run: copied to the device, or read batch by batch from the federation.

Both give the same batches, to the last bit. A copy on the device is faster. Without one a run needs no more
memory than a batch: a federation's arrays are mapped from its files, or are in Ray's object store, which all
workers of a node share and which continues on disk when it is full.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autokd.compute.device import Compute
from autokd.compute.free_memory import fits_in_memory, free_bytes, runs_at_once
from autokd.data.mapped_arrays import take_rows


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
    wanted = len(which) * (source.nbytes // max(1, len(source)))
    if compute.image_bytes is not None:
        resident = wanted <= compute.image_bytes
    else:
        resident = fits_in_memory(wanted, free_bytes(compute.device), runs=runs_at_once(compute.device))
    if resident:
        return Resident(torch.from_numpy(take_rows(source, which)).to(compute.device))
    return Streamed(source, which, compute.device)
