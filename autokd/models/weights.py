"""Weights of a network, to and from NumPy arrays."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn

from autokd.core.weights import Weights

COUNTER: Final = "num_batches_tracked"
"""Counters of BatchNorm, which PyTorch's own `load_state_dict` does without."""
_HALF: Final = (torch.float16, torch.bfloat16)


def load_weights(module: nn.Module, weights: Weights) -> None:
    """Copy weights into a network; later training does not change `weights`.

    Raises:
        ValueError: If names or shapes are not exactly those of the network.
    """
    copies = {name: torch.from_numpy(np.array(value)) for name, value in weights.items()}
    try:
        module.load_state_dict(with_versions(module, copies), strict=True)
    except RuntimeError as error:
        raise ValueError(f"these weights belong to another network: {error}") from error


def with_versions(module: nn.Module, weights: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Return weights as a network's own state dict, with the versions of its layers, on which some insist.

    PyTorch does without the counters of BatchNorm only where there are no versions, so these are filled in.
    """
    own = module.state_dict()
    counters = {name: value for name, value in own.items() if name.endswith(COUNTER) and name not in weights}
    state_dict = OrderedDict({**weights, **counters})
    if (versions := getattr(own, "_metadata", None)) is not None:
        state_dict._metadata = versions  # type: ignore[attr-defined]
    return state_dict


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
