"""Networks by the names that recipes use."""

from __future__ import annotations

import torch
from torch import nn

from autokd.config.federation import ArchitectureConfig, ExternalArchitecture
from autokd.data.dataset import Dataset
from autokd.errors import PlanError
from autokd.models.adapter import adapted
from autokd.models.architectures import Shape, architecture


def build(recipe: ArchitectureConfig, *, channels: int, size: int, classes: int, seed: int = 0) -> nn.Module:
    """Return a network on the CPU; torch's global random state is not changed.

    Args:
        recipe: Name and options.
        channels: Channels of an image.
        size: Height and width of an image, pixels.
        classes: Number of logits.
        seed: Seed of the initial weights.

    Raises:
        UnknownName: If there is no architecture of that name.
        PlanError: If it has no such option, or the option's value does not hold or does not fit the images.
    """
    if isinstance(recipe, ExternalArchitecture):
        with torch.random.fork_rng(devices=()):
            torch.default_generator.manual_seed(seed)
            return adapted(recipe, channels=channels, size=size)
    family = architecture(recipe)
    try:
        with torch.random.fork_rng(devices=()):
            # Not torch.manual_seed, which would seed the CUDA devices as well.
            torch.default_generator.manual_seed(seed)
            return family.build(Shape(channels=channels, size=size, classes=classes))
    except ValueError as error:
        raise PlanError(source=f"architecture {recipe.name}", field="options", problem=str(error)) from error


def build_for(data: Dataset, recipe: ArchitectureConfig, *, seed: int = 0) -> nn.Module:
    """Return a network for images and classes of a data set; see `build`."""
    _, channels, size, _ = data.images.shape
    return build(recipe, channels=channels, size=size, classes=len(data.classes), seed=seed)
