"""Networks by the names that recipes use."""

from __future__ import annotations

from torch import nn

from autokd.config.federation import ArchitectureConfig, ExternalArchitecture
from autokd.data.dataset import Dataset
from autokd.errors import PlanError
from autokd.models.adapter import adapted
from autokd.models.architectures import architecture, built
from autokd.models.shapes import AnyShape, Shape, TensorShape, shape_of
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
    return _built(recipe, Shape(channels, size, classes, width), seed)


def build_for_tensors(
    recipe: ArchitectureConfig, *, inputs: tuple[int, ...], classes: int, whole: bool = False, seed: int = 0
) -> nn.Module:
    """Return a network for tensors that are no images, as `build` does for images.

    Args:
        inputs, classes, whole: Input and output, see `TensorShape`.
    """
    return _built(recipe, TensorShape(tuple(inputs), classes, whole), seed)


def build_for(data: Dataset, recipe: ArchitectureConfig, *, seed: int = 0) -> nn.Module:
    """Return a network for inputs and classes of a data set; see `build`."""
    shape = shape_of(data.images, is_tensor=data.is_tensor, classes=len(data.classes))
    return _built(recipe, shape, seed)


def _built(recipe: ArchitectureConfig, shape: AnyShape, seed: int) -> nn.Module:
    try:
        with isolated_rng(seed, "cpu"):
            if isinstance(recipe, ExternalArchitecture):
                return adapted(recipe, shape)
            return built(architecture(recipe), shape)
    except ValueError as error:
        raise PlanError(source=f"architecture {recipe.name}", field="options", problem=str(error)) from error
