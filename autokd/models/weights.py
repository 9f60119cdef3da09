"""Weights of a network, to and from NumPy arrays."""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from torch import nn

from autokd.core.weights import Weights

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
