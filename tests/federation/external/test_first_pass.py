"""A network that does not take the inputs is refused with what to say, if anything that is usual helps."""

from __future__ import annotations

import re

import pytest
import torch
from torch import Tensor, nn

from autokd.errors import PlanError
from autokd.federation.first_pass import count_outputs
from autokd.models.shapes import AnyShape, Shape, TensorShape


class OfSize(nn.Module):
    """Takes images of one shape only, as vision transformers do."""

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self._shape, self._last = shape, nn.Linear(shape[0], 4)

    def forward(self, images: Tensor) -> Tensor:
        if tuple(images.shape[1:]) != self._shape:
            raise ValueError(f"Wrong image size! Expected {self._shape}")
        logits: Tensor = self._last(images.mean(dim=(2, 3)))
        return logits


def pooled(channels: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(channels, 2, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 4)
    ).train()


def dense(inputs: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(inputs, 4))


GREY, COLOUR = Shape(1, 8, 4), Shape(3, 8, 4)
REFUSED: dict[str, tuple[nn.Module, AnyShape, str]] = {
    "colour, asked for grey": (pooled(3), GREY, r"1x8x8.*takes 3 channels: say input: \{channels: 3\}$"),
    "grey, asked for colour": (pooled(1), COLOUR, r"3x8x8.*takes 1 channel: say input: \{channels: 1\}$"),
    "grey, flattened": (dense(64), COLOUR, r"say input: \{channels: 1\}$"),
    "a transformer": (OfSize(3, 224, 224), COLOUR, r"takes 224x224 pixels: say input: \{size: 224\}$"),
    "a transformer, asked for grey": (
        OfSize(3, 224, 224),
        GREY,
        r"takes 3 channels of 224x224 pixels: say input: \{channels: 3, size: 224\}$",
    ),
    "flattened digits of MNIST": (dense(28 * 28), GREY, r"takes 28x28 pixels: say input: \{size: 28\}$"),
    "flattened images of CIFAR": (dense(3 * 32 * 32), COLOUR, r"say input: \{size: 32\}$"),
    "five halvings": (
        nn.Sequential(*(nn.MaxPool2d(2) for _ in range(5)), nn.Flatten(), nn.Linear(3, 4)),
        COLOUR,
        r"say input: \{size: 32\}$",
    ),
    "a rectangle": (OfSize(1, 28, 28), Shape(1, 8, 4, 12), r"1x8x12.*say input: \{size: 28\}$"),
    "nothing that is usual": (
        OfSize(5, 7, 7),
        COLOUR,
        r"ValueError: Wrong image size! Expected \(5, 7, 7\)$",
    ),
    "no image": (dense(7), TensorShape((6,), 4), r"tensors of 6 \(float32\): RuntimeError"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_network_that_does_not_take_the_inputs_is_refused_with_a_way_out(case: str) -> None:
    network, shape, words = REFUSED[case]
    with pytest.raises(PlanError) as refused:
        count_outputs(network, shape, 4)
    assert re.search(words, refused.value.problem), refused.value.problem
    assert "\n" not in refused.value.problem


def test_outputs_are_counted() -> None:
    assert count_outputs(pooled(3), COLOUR, 4) == 4
    assert count_outputs(pooled(1), GREY, 7) == 4
    assert torch.is_grad_enabled()
