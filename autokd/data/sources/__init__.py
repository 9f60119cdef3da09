"""Reading of labelled examples: one module for each kind of source."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from autokd.config.images import ImageShape
from autokd.config.sources import (
    AnySource,
    CodeSource,
    FolderSource,
    MemorySource,
    NpzSource,
    ParquetSource,
    TorchvisionSource,
)
from autokd.data.sources.labelled_images import LabelledImages as LabelledImages
from autokd.data.sources.normalised import denormalised
from autokd.data.sources.tensors import not_finite
from autokd.errors import PlanError


def read(
    source: AnySource,
    base: Path,
    wanted: ImageShape,
    *,
    labels_needed: bool = True,
    code_folder: Path | None = None,
) -> LabelledImages:
    """Read the images, or tensors, and labels that a source asks for.

    No code is run, except the factory of a `CodeSource`.

    Args:
        source: Source from a recipe.
        base: Folder that its paths are relative to.
        wanted: Shape that images are brought to; where it says nothing, they must already agree.
        labels_needed: Whether examples without labels are refused; public ones may lack them.
        code_folder: Folder that own code is in; see `autokd.core.import_factory.code_of`.

    Raises:
        PlanError: If it cannot be read or used; names the file and the part of it.
    """
    try:
        data = replace(_read(source, base, wanted, labels_needed, code_folder), is_tensor=source.is_tensor)
    except MemoryError as error:
        raise PlanError(source=str(base), problem="does not fit into memory") from error
    name = str(getattr(source, "path", getattr(source, "root", getattr(source, "factory", source.kind))))
    data = usable(data, name=name)
    if source.normalised is not None:
        data = replace(data, images=denormalised(data.images, source.normalised, name=name))
    # Names of files need not be valid Unicode.
    notes = (note.encode(errors="backslashreplace").decode() for note in data.notes)
    return replace(data, notes=tuple(notes))


def _read(
    source: AnySource, base: Path, wanted: ImageShape, labels_needed: bool, code_folder: Path | None
) -> LabelledImages:
    # Imported here: what one reader needs takes time to import, and the others do without.
    match source:
        case TorchvisionSource():
            from autokd.data.sources import torchvision_datasets

            return torchvision_datasets.read(source, base, wanted, labels_needed)
        case FolderSource():
            from autokd.data.sources import image_folder

            return image_folder.read(source, base, wanted, labels_needed)
        case NpzSource():
            from autokd.data.sources import npz

            return npz.read(source, base, wanted, labels_needed)
        case ParquetSource():
            from autokd.data.sources import parquet

            return parquet.read(source, base, wanted, labels_needed)
        case CodeSource():
            from autokd.data.sources import factory

            return factory.read(source, base, wanted, labels_needed, code_folder)
        case MemorySource():
            problem = "was in the memory of the program that made this federation; it cannot be read again"
            raise PlanError(source=source.sha256[:8], problem=problem)


def usable(data: LabelledImages, *, name: str) -> LabelledImages:
    """Return examples of any source if they can be used.

    Raises:
        PlanError: If there are none, or numbers that are not finite, or labels outside the classes.
    """
    problem = _problem(data)
    if problem:
        raise PlanError(source=name, problem=problem)
    return data


def _problem(data: LabelledImages) -> str:
    """Return why the examples cannot be used, whatever their source; empty if they can."""
    if not len(data.images):
        return "holds no example"
    if data.is_tensor:
        return not_finite(data.images) or _problem_of_labels(data)
    finite = np.isfinite(data.images).all(axis=(1, 2, 3)) if data.images.dtype == np.float32 else np.True_
    if not finite.all():
        return f"image {finite.argmin()} holds values that are not finite numbers"
    return _problem_of_labels(data)


def _problem_of_labels(data: LabelledImages) -> str:
    low, high = data.labels.min(), data.labels.max()
    if low < 0 or high >= len(data.classes):
        from_one = low == 1 and high == len(data.classes)
        hint = "; labels are class numbers from 0: save labels - 1" if from_one else ""
        return f"labels run from {low} to {high}, but there are {len(data.classes)} classes{hint}"
    return ""
