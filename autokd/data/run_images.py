"""Where the images of a run lie: on the device as a whole, or where the federation has them.

Both give the same batches, to the last bit. A copy on the device is faster. Without one a run needs no more
memory than a batch, however many images there are: a federation's own arrays are mapped from its files, or
are in Ray's object store, which all workers of a node share and which goes on on disk once it is full.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autokd.compute.device import Compute
from autokd.compute.free_memory import fits_in_memory, free_bytes, runs_at_once
from autokd.data.mapped_arrays import take_rows


class Images(Protocol):
    """The images that a run draws its batches from.

    Attributes:
        notice: What a user is to know of where they lie; empty if there is nothing to tell.
    """

    @property
    def notice(self) -> str: ...

    def batch(self, chosen: Tensor) -> Tensor:
        """Some images, as they are stored, on the device.

        Args:
            chosen: Positions among the run's images, int64, shape (batch,), on the device or the CPU.

        Returns:
            uint8 or float32, shape (batch, channels, height, width).
        """


@final
@dataclass(frozen=True, slots=True, eq=False)
class Resident:
    """All of them on the device.

    Attributes:
        pixels: Shape (m, channels, height, width).
    """

    pixels: Tensor

    @property
    def notice(self) -> str:
        return ""

    def batch(self, chosen: Tensor) -> Tensor:
        return self.pixels.index_select(0, chosen.to(self.pixels.device))


@final
@dataclass(frozen=True, slots=True, eq=False)
class Streamed:
    """None of them: each batch is read when it is asked for.

    Attributes:
        source: All images of the federation, shape (n, channels, height, width).
        which: Those of the run, shape (m,).
        device: Where batches go.
    """

    source: NDArray[Any]
    which: NDArray[np.int64]
    device: str

    @property
    def notice(self) -> str:
        # Without figures: it is told once, and those of each run are others.
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
        return torch.from_numpy(take_rows(self.source, self.which[chosen.cpu().numpy()])).to(self.device)


def place_images(source: NDArray[Any], which: NDArray[np.int64], compute: Compute) -> Resident | Streamed:
    """The images of a run: on the device if there is room for them.

    Args:
        source: All images of the federation, shape (n, channels, height, width).
        which: Those of the run, shape (m,).
        compute: Where; `compute.image_bytes` decides in place of the device's free memory.
    """
    wanted = len(which) * (source.nbytes // max(1, len(source)))
    if compute.image_bytes is not None:
        resident = wanted <= compute.image_bytes
    else:
        resident = fits_in_memory(wanted, free_bytes(compute.device), runs=runs_at_once(compute.device))
    if resident:
        return Resident(torch.from_numpy(take_rows(source, which)).to(compute.device))
    return Streamed(source, which, compute.device)
