from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from autokd.compute.device import Compute
from autokd.core.tensor_format import TensorFormat
from autokd.errors import DeviceUnavailable


@pytest.mark.parametrize("compute", [Compute(), Compute(device="cpu:0")], ids=str)
def test_the_cpu_is_always_there(compute: Compute) -> None:
    compute.check()
    assert torch.zeros(1, device=compute.device).device.type == "cpu"


@pytest.mark.parametrize("device", ["gpu", "", "cuda:x", "meta", "mps"])
def test_what_is_no_device_says_so(device: str) -> None:
    with pytest.raises(DeviceUnavailable, match="--device"):
        Compute(device=device).check()


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA devices")
def test_cuda_without_a_device_is_a_clear_error() -> None:
    with pytest.raises(DeviceUnavailable, match="0 usable CUDA devices; use --device cpu"):
        Compute(device="cuda").check()


def test_other_machines_may_have_what_this_one_lacks() -> None:
    Compute(device="cuda:99").check(elsewhere=True)
    with pytest.raises(DeviceUnavailable, match="use cpu or cuda"):
        Compute(device="gpu").check(elsewhere=True)


def test_autocast_computes_in_bfloat16_and_leaves_weights_alone() -> None:
    layer = nn.Linear(4, 4)
    with Compute(precision="bfloat16").autocast():
        assert layer(torch.ones(2, 4)).dtype is torch.bfloat16
    with Compute().autocast():
        assert layer(torch.ones(2, 4)).dtype is torch.float32
    assert layer.weight.dtype is torch.float32


def test_channels_last_reaches_weights_and_images() -> None:
    compute = Compute(memory_format="channels_last")
    layer = compute.place(nn.Conv2d(3, 8, 3))
    assert isinstance(layer, nn.Conv2d)
    assert layer.weight.is_contiguous(memory_format=torch.channels_last)
    images = torch.zeros(2, 3, 5, 5, dtype=torch.uint8)
    pixels = compute.pixels(images, mean=torch.zeros(3), std=torch.ones(3))
    assert pixels.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("channels", [1, 3])
def test_convolutions_take_the_layout_from_the_images_strides(channels: int) -> None:
    """With one channel both layouts are the same memory."""
    compute = Compute(memory_format="channels_last")
    images = torch.zeros(2, channels, 5, 5, dtype=torch.uint8)
    pixels = compute.pixels(images, mean=torch.zeros(channels), std=torch.ones(channels))
    assert pixels.stride() == (25 * channels, 1, 5 * channels, channels)
    answers = compute.place(nn.Conv2d(channels, 8, 3, padding=1))(pixels)
    assert answers.is_contiguous(memory_format=torch.channels_last)


def test_what_is_open_is_contiguous_float32_until_it_is_chosen() -> None:
    for compute in (Compute(), Compute(precision="auto"), Compute(memory_format="channels_last")):
        assert compute.tensor_format is None
    chosen = Compute(threads=2).in_format(TensorFormat("channels_last", "bfloat16"))
    assert chosen == Compute(memory_format="channels_last", precision="bfloat16", threads=2)
    assert chosen.tensor_format == TensorFormat("channels_last", "bfloat16")
    layer = Compute().place(nn.Conv2d(3, 8, 3))
    assert isinstance(layer.weight, Tensor)
    assert layer.weight.is_contiguous()
    with Compute(precision="auto").autocast():
        assert nn.Linear(4, 4)(torch.ones(2, 4)).dtype is torch.float32


def test_pixels_are_normalised_per_channel() -> None:
    images = torch.tensor([[[[10]], [[20]]]], dtype=torch.uint8)
    pixels = Compute().pixels(images, mean=torch.tensor([10.0, 10.0]), std=torch.tensor([2.0, 5.0]))
    assert pixels.flatten().tolist() == [0.0, 2.0]
    assert pixels.dtype is torch.float32


def test_an_assigned_gpu_is_the_first_that_a_worker_sees() -> None:
    assert Compute(device="cuda:3", memory_format="channels_last").on_assigned_gpu() == Compute(
        device="cuda", memory_format="channels_last"
    )
    assert Compute().on_assigned_gpu() == Compute()
