"""Networks by the names that recipes use."""

from __future__ import annotations

from torch import nn

from autokd.config.federation import ArchitectureConfig, ExternalArchitecture
from autokd.data.dataset import Dataset
from autokd.errors import PlanError
from autokd.models.adapter import adapted
from autokd.models.architectures import Shape, architecture
from autokd.models.training import isolated_rng


def build(
    recipe: ArchitectureConfig,
    *,
    channels: int,
    size: int,
    classes: int,
    width: int | None = None,
    seed: int = 0,
) -> nn.Module:
    """Return a network on the CPU; torch's global random state is not changed.

    Args:
        recipe: Name and options.
        channels, size, classes, width: Input and output, see `Shape`.
        seed: Seed of the initial weights.

    Raises:
        UnknownName: If there is no architecture of that name.
        PlanError: If it has no such option, or the option's value does not hold or does not fit the images.
    """
    try:
        with isolated_rng(seed, "cpu"):
            if isinstance(recipe, ExternalArchitecture):
                return adapted(recipe, channels=channels, size=size, width=width)
            return architecture(recipe).build(Shape(channels, size, classes, width))
    except ValueError as error:
        raise PlanError(source=f"architecture {recipe.name}", field="options", problem=str(error)) from error


def build_for(data: Dataset, recipe: ArchitectureConfig, *, seed: int = 0) -> nn.Module:
    """Return a network for images and classes of a data set; see `build`."""
    _, channels, height, width = data.images.shape
    return build(recipe, channels=channels, size=height, width=width, classes=len(data.classes), seed=seed)
