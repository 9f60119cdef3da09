"""How tensors are computed: device, precision, memory format, threads."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from autokd.core.arguments import choice, constructed, whole
from autokd.core.tensor_format import MemoryFormat, Precision, TensorFormat
from autokd.errors import ArgumentError, DeviceUnavailable
from autokd.text.quoting import quoted


@constructed
@dataclass(frozen=True, slots=True)
class Compute:
    """How runs compute. Equal values on equal machines give equal bits.

    What is left open (`auto`, None) is chosen when a study is made, and fixed for it: see
    `autokd.compute.tensor_formats`. Until then it stands for `contiguous` and `float32`, in which federations
    are prepared and delivered models are evaluated.

    Attributes:
        device: A torch device: `cpu`, `cuda` or `cuda:1`.
        precision: `bfloat16` runs forward passes under autocast; weights stay float32. `auto` for bfloat16
            where the hardware has it; None for what the study has, and for float32 in a new one.
        memory_format: `channels_last` (faster convolutions) or `contiguous`. `auto` for what the study has,
            and in a new one for the faster layout of the network.
        threads: Intra-op CPU threads of a run.
        image_bytes: Maximum size of a run's images on the device. Larger ones stay on the host and each batch
            is copied, with the same results. None for a share of the free memory.
    """

    device: str = "cpu"
    precision: Literal["auto"] | Precision | None = None
    memory_format: Literal["auto"] | MemoryFormat = "auto"
    threads: int = 1
    image_bytes: int | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.device, str):
            raise ArgumentError("device", f"must be cpu, cuda or cuda:1, not {quoted(self.device)}")
        if self.precision is not None:
            choice("precision", self.precision, ("auto", *get_args(Precision)))
        choice("memory_format", self.memory_format, ("auto", *get_args(MemoryFormat)))
        whole("threads", self.threads, least=1)
        if self.image_bytes is not None:
            whole("image_bytes", self.image_bytes)

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

    def in_format(self, tensor_format: TensorFormat) -> Compute:
        """Return the same with a memory format and a precision that leave nothing open."""
        return replace(self, memory_format=tensor_format.memory_format, precision=tensor_format.precision)

    @property
    def tensor_format(self) -> TensorFormat | None:
        """Memory format and precision; None if one of them is open."""
        if self.memory_format == "auto" or self.precision is None or self.precision == "auto":
            return None
        return TensorFormat(self.memory_format, self.precision)

    def autocast(self) -> AbstractContextManager[object]:
        """Return the context for forward passes."""
        if self.precision != "bfloat16":
            return nullcontext()
        return torch.autocast(torch.device(self.device).type, dtype=torch.bfloat16)

    @property
    def layout(self) -> torch.memory_format:
        """Layout of images, shape (batch, channels, height, width), and of convolution weights."""
        is_channels_last = self.memory_format == "channels_last"
        return torch.channels_last if is_channels_last else torch.contiguous_format

    def place(self, module: nn.Module) -> nn.Module:
        """Move a network to the device in the chosen memory format."""
        return module.to(self.device).to(memory_format=self.layout)

    def pixels(self, images: Tensor, *, mean: Tensor, std: Tensor) -> Tensor:
        """Normalise uint8 images on the device; tensors that are no images only move there.

        Args:
            images: uint8, shape (batch, channels, height, width), on any device.
            mean: Mean per channel in units of the stored pixel values, shape (channels,); empty for tensors.
            std: Standard deviation in the same form.

        Returns:
            float32 on the device, same shape; of tensors the numbers as they are.
        """
        if not len(mean):
            return images.to(self.device, non_blocking=True)
        # In place in a copy, which saves the memory of two further ones.
        values = images.to(self.device, non_blocking=True).to(torch.float32, copy=True)
        shape = (1, -1, 1, 1)
        values.sub_(mean.to(self.device).view(shape)).div_(std.to(self.device).view(shape))
        if self.memory_format == "channels_last" and values.shape[1] == 1:
            # One channel is in both layouts at once; only its strides tell a convolution which one is meant.
            return values.contiguous().view(len(values), *values.shape[2:], 1).permute(0, 3, 1, 2)
        return values.to(memory_format=self.layout)
