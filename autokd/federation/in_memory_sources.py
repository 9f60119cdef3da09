"""Data and weights that a recipe names and that are in memory instead of files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import torch
from torch import nn

from autokd.data.sources.labelled_images import LabelledImages
from autokd.federation.hashing import digest
from autokd.models.weights import weights_of

IN_MEMORY: Final = "memory:"
"""Prefix of a recipe's checkpoint that was in memory."""


@dataclass(frozen=True, slots=True)
class InMemorySources:
    """Data and weights in memory, by their SHA-256 in hex."""

    data: dict[str, LabelledImages] = field(default_factory=dict)
    weights: dict[str, Mapping[str, torch.Tensor]] = field(default_factory=dict)

    def keep_weights(self, model: nn.Module) -> str:
        """Keep a copy of a model's weights, and return its name for the recipe."""
        arrays = weights_of(model)
        key = digest(arrays)
        self.weights[key] = {name: torch.from_numpy(np.array(value)) for name, value in arrays.items()}
        return f"{IN_MEMORY}{key}"
