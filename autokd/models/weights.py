"""Weights as NumPy arrays, which Ray shares between workers without copying."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

Weights = Mapping[str, NDArray[np.generic]]
"""State dict of a network as NumPy arrays, by name: parameters and buffers."""


_HALF: Final = (torch.float16, torch.bfloat16)


def load_weights(module: nn.Module, weights: Weights) -> None:
    """Copy weights into a network; later training does not change `weights`.

    Raises:
        ValueError: If names or shapes are not exactly those of the network.
    """
    copies = {name: torch.from_numpy(np.array(value)) for name, value in weights.items()}
    try:
        module.load_state_dict(copies, strict=True)
    except RuntimeError as error:
        raise ValueError(f"these weights belong to another network: {error}") from error


def weights_of(module: nn.Module) -> Weights:
    """Return a read-only copy of a network's weights, on the CPU.

    bfloat16, which NumPy does not have, and half precision become float32.
    """
    weights: Weights = {
        name: (value.float() if value.dtype in _HALF else value).detach().cpu().numpy().copy()
        for name, value in module.state_dict().items()
    }
    for array in weights.values():
        array.setflags(write=False)
    return weights
