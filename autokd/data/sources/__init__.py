"""Reading of labelled images: one module for each kind of source."""

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
    """Read the images and labels that a source asks for.

    No code is run, except the factory of a `CodeSource`.

    Args:
        source: Source from a recipe.
        base: Folder that its paths are relative to.
        wanted: Format of all images.

    Raises:
        PlanError: If it cannot be read or used; names the file and the part of it.
    """
    try:
        data = _read(source, base, wanted)
    except MemoryError as error:
        raise PlanError(source=str(base), problem="does not fit into memory") from error
    _check(data, str(getattr(source, "path", getattr(source, "root", source.kind))))
    return data


def _read(source: AnySource, base: Path, wanted: Wanted) -> Labelled:
    # Imported here: what one reader needs takes time to import, and the others do without.
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
            raise PlanError(source=source.sha256[:8], problem=problem)


def _check(data: Labelled, name: str) -> None:
    """Raise PlanError if the examples cannot be used, whatever their source."""
    problem = ""
    low, high = (int(data.labels.min()), int(data.labels.max())) if len(data.labels) else (0, 0)
    if not len(data.images):
        problem = "holds no example"
    elif data.images.dtype == np.float32 and not np.isfinite(data.images).all():
        first = int(np.flatnonzero(~np.isfinite(data.images).all(axis=(1, 2, 3)))[0])
        problem = f"image {first} holds values that are not finite numbers"
    elif low < 0 or high >= len(data.classes):
        problem = f"labels run from {low} to {high}, but there are {len(data.classes)} classes"
    if problem:
        raise PlanError(source=name, problem=problem)
