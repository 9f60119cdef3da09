"""How tensors are computed: device, precision, memory format, threads."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor, nn

from autokd.errors import DeviceUnavailable


@dataclass(frozen=True, slots=True)
class Compute:
    """How a run computes. Equal values on equal machines give equal bits.

    Attributes:
        device: A torch device: `cpu`, `cuda` or `cuda:1`.
        precision: `bfloat16` runs forward passes under autocast; weights stay float32.
        channels_last: NHWC memory layout: faster convolutions on GPUs and recent CPUs.
        threads: Intra-op CPU threads of a run.
        image_bytes: Maximum size of a run's images on the device. Larger ones stay on the host and each batch
            is copied, with the same results. None for a share of the free memory.
    """

    device: str = "cpu"
    precision: Literal["float32", "bfloat16"] = "float32"
    channels_last: bool = False
    threads: int = 1
    image_bytes: int | None = None

    def check(self, *, elsewhere: bool = False) -> None:
        """Raise an error now, rather than inside a worker, if the device does not exist.

        Args:
            elsewhere: Whether other machines compute; only Ray knows their devices.

        Raises:
            DeviceUnavailable: If this machine has no such device, or no machine can have it.
        """
        try:
            device = torch.device(self.device)
        except RuntimeError as error:
            raise DeviceUnavailable(f"--device {self.device!r} is not a device; use cpu or cuda") from error
        if device.type not in ("cpu", "cuda"):
            raise DeviceUnavailable(f"--device {self.device}: only cpu and cuda are supported")
        if device.type == "cuda" and not elsewhere:
            count = torch.cuda.device_count() if torch.cuda.is_available() else 0
            if (device.index or 0) >= count:
                raise DeviceUnavailable(
                    f"--device {self.device}: this machine has {count} usable CUDA devices; use --device cpu"
                )

    def on_assigned_gpu(self) -> Compute:
        """Return the same without a device index: Ray shows a worker only its own GPUs, numbered from 0."""
        return replace(self, device=torch.device(self.device).type)

    def autocast(self) -> AbstractContextManager[object]:
        """Return the context for forward passes."""
        if self.precision == "float32":
            return nullcontext()
        return torch.autocast(torch.device(self.device).type, dtype=torch.bfloat16)

    @property
    def memory_format(self) -> torch.memory_format:
        """Memory format of images, shape (batch, channels, height, width), and of convolution weights."""
        return torch.channels_last if self.channels_last else torch.contiguous_format

    def place(self, module: nn.Module) -> nn.Module:
        """Move a network to the device in the chosen memory format."""
        return module.to(self.device).to(memory_format=self.memory_format)

    def pixels(self, images: Tensor, *, mean: Tensor, std: Tensor) -> Tensor:
        """Normalise uint8 images on the device.

        Args:
            images: uint8, shape (batch, channels, height, width), on any device.
            mean: Mean per channel in units of the stored pixel values, shape (channels,).
            std: Standard deviation in the same form.

        Returns:
            float32 on the device, same shape.
        """
        values = images.to(self.device, non_blocking=True).float()
        shape = (1, -1, 1, 1)
        normalised = (values - mean.to(self.device).view(shape)) / std.to(self.device).view(shape)
        return normalised.to(memory_format=self.memory_format)
