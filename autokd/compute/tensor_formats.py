"""Chooses the tensor format of a new study from network, device and hardware, never from a timing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch
from torch import nn

from autokd.compute.device import Compute
from autokd.core.tensor_format import MemoryFormat, Precision, TensorFormat
from autokd.errors import InputError

_CPU_GAIN: Final = (
    "networks on 32x32 images train 1.4 to 2.2 times as fast, on 8x8 images more slowly "
    "(measured: docs/results/time-and-memory.md)"
)
_GPU_GAIN: Final = (
    "its peak is twice that of TF32 by NVIDIA's data sheets of A100 and H100; autokd has no figure of its own"
)
_BATCH: Final = 2
"""Images of the trial pass: BatchNorm cannot train on one."""


def choose_format(compute: Compute, network: nn.Module, images: Sequence[int] | None) -> TensorFormat:
    """Return the tensor format of a new study, where `compute` leaves it open by these rules.

    The memory format is `channels_last` if the network has convolutions over two dimensions and runs in it.
    A network may not: `view` on the output of a convolution raises an error. The precision is float32.

    Args:
        network: A fresh copy of the student on the CPU; one pass trains its statistics.
        images: Shape of one image, (channels, height, width); None for inputs that have no such axes.

    Raises:
        InputError: If `compute` asks for channels_last, and the network does not run in it.
    """
    asked = compute.precision or "float32"
    precision = fast_precision(compute.device) if asked == "auto" else asked
    memory_format: MemoryFormat = "contiguous"
    if compute.memory_format == "channels_last":
        problem = refuses_channels_last(network, images)
        if problem:
            raise InputError(
                f"--memory-format channels_last: the network cannot run in it ({problem}); leave the option "
                "out, or use reshape in the network where it uses view"
            )
        memory_format = "channels_last"
    elif compute.memory_format == "auto" and has_convolutions(network):
        memory_format = "contiguous" if refuses_channels_last(network, images) else "channels_last"
    return TensorFormat(memory_format, precision)


def has_convolutions(network: nn.Module) -> bool:
    """Return whether a network has a convolution over two dimensions."""
    return any(isinstance(module, nn.Conv2d) for module in network.modules())


def refuses_channels_last(network: nn.Module, images: Sequence[int] | None) -> str:
    """Return why a network cannot be trained in channels_last, from one pass on the CPU; empty if it can."""
    if images is None:
        return "its inputs have no channels, height and width"
    compute = Compute(memory_format="channels_last")
    network = compute.place(network).train()
    try:
        # What layers such as Dropout draw must not change what is drawn later.
        with torch.random.fork_rng(devices=()), torch.enable_grad():
            pixels = torch.zeros(_BATCH, *images).contiguous(memory_format=compute.layout)
            network(pixels).sum().backward()
    except Exception as error:  # The network may be anybody's.
        return str(error).partition("\n")[0]
    return ""


def fast_precision(device: str) -> Precision:
    """Return `bfloat16` if the hardware computes in it, else `float32`.

    On a CPU these are the instructions of AVX512-BF16 and AMX, on a GPU tensor cores from compute capability
    8.0 on. What PyTorch emulates is slower than float32. If this machine does not have the device, since
    others of the cluster compute, nothing is known of it.
    """
    if torch.device(device).type == "cuda":
        has = torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        has = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return "bfloat16" if has else "float32"


def precision_notice(device: str, precision: Precision) -> str:
    """Return what `auto` chose, and what it gains."""
    if precision == "float32":
        return f"--precision auto: {device} does not compute in bfloat16, so runs are float32"
    gain = _GPU_GAIN if torch.device(device).type == "cuda" else _CPU_GAIN
    return f"--precision auto: {device} computes in bfloat16; {gain}"
