"""The first question to a network from elsewhere: does it take the inputs, and how many outputs has it?"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import torch
from torch import nn

from autokd.errors import PlanError
from autokd.models.outputs import described, logits_in, tensors_in
from autokd.models.shapes import AnyShape, Shape
from autokd.text.quoting import counted
from autokd.text.reasons import kind_and_words

_USUAL_SIZES: Final = (28, 32, 64, 224, 299, 384)
"""Heights and widths that networks are made for."""


def count_outputs(network: nn.Module, shape: AnyShape, known: int) -> int:
    """Return the number of outputs, by one forward pass.

    Args:
        shape: Input of the network.
        known: Number of outputs whose meaning is known.

    Raises:
        PlanError: If the pass fails, or does not return logits.
    """
    network.eval()
    images = shape.zeros(2)
    try:
        with torch.inference_mode():
            answers = network(images)
    except Exception as error:
        problem = f"cannot take {shape.words}: {_reason(error)}{_way_out(network, shape)}"
        raise PlanError(source="forward pass", problem=problem) from error
    logits = logits_in(answers)
    if len(logits) != len(images):
        problem = (
            f"answers {described(answers)} to {len(images)} inputs, not logits of shape (inputs, classes)"
        )
        raise PlanError(source="forward pass", problem=problem)
    outputs = int(logits.shape[1])
    if outputs != known and any(tensor.shape == (len(images), known) for tensor in tensors_in(answers)):
        problem = (
            f"answers {described(answers)}: what it begins with has {outputs} outputs, another entry the "
            f"{known} that are wanted; put the logits first, or name them `logits`"
        )
        raise PlanError(source="forward pass", problem=problem)
    return outputs


def _reason(error: Exception) -> str:
    words = kind_and_words(error)
    if any(kind in words for kind in ("dtype", "Double", "Half", "BFloat16")):
        words += "; its weights are float32 here: let it bring what it is given to their type"
    return words


def _way_out(network: nn.Module, shape: AnyShape) -> str:
    """Return what an input would have to say so that the network takes it; empty if nothing is found."""
    if not isinstance(shape, Shape):
        return ""
    channels = 3 if shape.channels == 1 else 1
    if _takes(network, replace(shape, channels=channels)):
        return f"; it takes {counted(channels, 'channel')}: say input: {{channels: {channels}}}"
    for size in _USUAL_SIZES:
        square = replace(shape, size=size, width=None)
        if _takes(network, square):
            return f"; it takes {size}x{size} pixels: say input: {{size: {size}}}"
        if _takes(network, replace(square, channels=channels)):
            says = f"say input: {{channels: {channels}, size: {size}}}"
            return f"; it takes {counted(channels, 'channel')} of {size}x{size} pixels: {says}"
    return ""


def _takes(network: nn.Module, shape: Shape) -> bool:
    try:
        with torch.inference_mode():
            return len(logits_in(network(shape.zeros(2)))) == 2
    except Exception:
        return False
