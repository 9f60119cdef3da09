from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from autokd.compute import tensor_formats
from autokd.compute.device import Compute
from autokd.compute.tensor_formats import choose_format, fast_precision, precision_notice
from autokd.core.tensor_format import TensorFormat
from autokd.errors import InputError

IMAGE = (3, 8, 8)


def cnn() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(144, 2))


def mlp() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(192, 2))


class Viewing(nn.Module):
    """A network as many are written: it runs in the usual layout only."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 4, 3)
        self.linear = nn.Linear(144, 2)

    def forward(self, images: Tensor) -> Tensor:
        answers: Tensor = self.linear(self.convolution(images).view(-1, 144))
        return answers


@pytest.mark.parametrize(
    ("make", "memory_format"),
    [(cnn, "channels_last"), (mlp, "contiguous"), (Viewing, "contiguous")],
)
@pytest.mark.parametrize("device", ["cpu", "cuda", "cuda:1"])
def test_the_layout_is_a_function_of_network_and_device(
    make: Callable[[], nn.Module], memory_format: str, device: str
) -> None:
    """Also of a device that this machine does not have: the driver of a cluster may have none."""
    chosen = choose_format(Compute(device=device), make(), IMAGE)
    assert chosen == TensorFormat(memory_format, "float32")  # type: ignore[arg-type]


@pytest.mark.parametrize("make", [cnn, mlp, Viewing])
def test_what_is_asked_for_is_taken(make: Callable[[], nn.Module]) -> None:
    compute = Compute(memory_format="contiguous", precision="bfloat16")
    assert choose_format(compute, make(), IMAGE) == TensorFormat("contiguous", "bfloat16")


def test_a_layout_that_the_network_cannot_run_in_is_refused_with_a_way_out() -> None:
    compute = Compute(memory_format="channels_last")
    assert choose_format(compute, cnn(), IMAGE).memory_format == "channels_last"
    with pytest.raises(InputError, match=r"--memory-format channels_last: .*view size.*leave the option out"):
        choose_format(compute, Viewing(), IMAGE)


def test_choosing_leaves_the_global_random_state_alone() -> None:
    network = nn.Sequential(cnn(), nn.Dropout())
    before = torch.get_rng_state()
    choose_format(Compute(), network, IMAGE)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("avx", [True, False])
@pytest.mark.parametrize("amx", [True, False])
def test_on_a_cpu_its_instructions_decide_the_precision(
    monkeypatch: pytest.MonkeyPatch, avx: bool, amx: bool
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    expected = "bfloat16" if avx or amx else "float32"
    assert fast_precision("cpu") == expected
    assert choose_format(Compute(precision="auto"), mlp(), IMAGE).precision == expected
    assert choose_format(Compute(), mlp(), IMAGE).precision == "float32"


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("has", [True, False])
def test_on_a_gpu_its_tensor_cores_do_and_not_what_is_emulated(
    monkeypatch: pytest.MonkeyPatch, there: bool, has: bool
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there)
    monkeypatch.setattr(
        torch.cuda, "is_bf16_supported", lambda including_emulation=True: has or including_emulation
    )
    assert fast_precision("cuda") == ("bfloat16" if there and has else "float32")


def test_a_notice_says_what_bfloat16_gains_and_where_the_figure_is_from() -> None:
    assert "docs/results" in precision_notice("cpu", "bfloat16")
    assert tensor_formats._GPU_GAIN in precision_notice("cuda", "bfloat16")
    assert precision_notice("cpu", "float32").endswith("so runs are float32")
