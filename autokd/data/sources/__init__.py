"""Labelled images from wherever a recipe says they lie: one module a kind of place."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from autokd.config.external import (
    AnySource,
    CodeSource,
    FolderSource,
    MemorySource,
    NpzSource,
    ParquetSource,
    TorchvisionSource,
)
from autokd.data.sources.labelled_images import Labelled as Labelled
from autokd.data.sources.labelled_images import Wanted as Wanted
from autokd.errors import PlanError


def read(source: AnySource, base: Path, wanted: Wanted) -> Labelled:
    """The images and labels of a source, those that it is asked for only.

    Nothing that is read is executed, but for the code that a `CodeSource` names.

    Args:
        source: Of a recipe.
        base: The folder that its paths start from.
        wanted: What images are brought to.

    Raises:
        PlanError: If there is nothing, or it cannot be used; names the file, and what of it.
    """
    try:
        found = _found(source, base, wanted)
    except MemoryError as error:
        raise PlanError(source=str(base), field="", problem="does not fit into memory") from error
    return _sound(found, str(getattr(source, "path", getattr(source, "root", source.kind))))


def _found(source: AnySource, base: Path, wanted: Wanted) -> Labelled:
    # Each imported here: what one reader needs takes time to import, and others do without.
    match source:
        case TorchvisionSource():
            from autokd.data.sources import torchvision_datasets

            return torchvision_datasets.read(source, base, wanted)
        case FolderSource():
            from autokd.data.sources import image_folder

            return image_folder.read(source, base, wanted)
        case NpzSource():
            from autokd.data.sources import npz

            return npz.read(source, base, wanted)
        case ParquetSource():
            from autokd.data.sources import parquet

            return parquet.read(source, base, wanted)
        case CodeSource():
            from autokd.data.sources import factory

            return factory.read(source, base, wanted)
        case MemorySource():
            problem = "was in the memory of the program that made this federation; it cannot be read again"
            raise PlanError(source=source.sha256[:8], field="", problem=problem)


def _sound(found: Labelled, name: str) -> Labelled:
    """What holds of every source."""

    def refused(problem: str) -> PlanError:
        return PlanError(source=name, field="", problem=problem)

    if not len(found.images):
        raise refused("holds no example")
    if found.images.dtype == np.float32 and not np.isfinite(found.images).all():
        first = int(np.flatnonzero(~np.isfinite(found.images).all(axis=(1, 2, 3)))[0])
        raise refused(f"image {first} holds values that are not finite numbers")
    low, high = int(found.labels.min()), int(found.labels.max())
    if low < 0 or high >= len(found.classes):
        raise refused(f"labels run from {low} to {high}, but there are {len(found.classes)} classes")
    return found
