"""A folder with one subfolder of images per class, as torchvision's `ImageFolder` reads it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from autokd.config.images import ImageShape
from autokd.config.sources import FolderSource, Source
from autokd.core.class_names import class_names
from autokd.data.sources.decoding import Decoder, decode_all
from autokd.data.sources.files_below import Below, images_below
from autokd.data.sources.labelled_images import (
    LabelledImages,
    checked_size,
    chosen_indices,
    labelled,
    unlabelled,
)
from autokd.data.sources.tiny_imagenet import annotated
from autokd.errors import PlanError
from autokd.text.quoting import counted

_SPLITS = frozenset({"train", "training", "val", "valid", "validation", "test", "testing", "dev", "eval"})


def read(source: FolderSource, base: Path, wanted: ImageShape, labels_needed: bool = True) -> LabelledImages:
    """Read the chosen images of a folder; see `autokd.data.sources.read`."""
    return read_folder(base / Path(source.path).expanduser(), source, base, wanted, labels_needed)


def read_folder(
    folder: Path, source: Source, base: Path, wanted: ImageShape, labels_needed: bool = True
) -> LabelledImages:
    """Read the chosen images of a folder.

    Raises:
        PlanError: If there is no such folder, or an image in it cannot be read.
    """
    below = images_below(folder)
    files, labels, own = _labelled(folder, below, source.classes, labels_needed)
    which = chosen_indices(source, base, len(files))
    if not which.size:
        raise PlanError(source=str(folder), problem="no example is chosen")
    decoder = Decoder.of(source, wanted)
    chosen = [files[number] for number in which]
    size = sum(checked_size(file) for file in chosen)
    images = decode_all(((file, str(file)) for file in chosen), len(chosen), decoder, size=size)
    notes = (*below.notes(labels is not None), *decoder.notes())
    if labels is None:
        return unlabelled(images, notes)
    return labelled(images, labels[which], recipe=source.classes, own=own, source=str(folder), notes=notes)


def _labelled(
    folder: Path, below: Below, classes: Sequence[str] | None, labels_needed: bool
) -> tuple[list[Path], NDArray[np.int64] | None, list[str]]:
    """Return files, their labels (None if they have none), and the names of the classes by label."""
    everything = [*below.beside, *(file for files in below.folders.values() for file in files)]
    if not labels_needed and not everything:
        raise PlanError(source=str(folder), problem="holds no image")
    try:
        annotations = annotated(folder, below)
        if annotations is not None:
            return _numbered(folder, *annotations, classes)
        if not labels_needed and (below.beside or list(below.folders) == ["images"]):
            return everything, None, []
        problem = _problem(below)
        if problem:
            raise PlanError(source=str(folder), problem=problem)
        owners = [name for name, files in below.folders.items() for _ in files]
        files = [file for files in below.folders.values() for file in files]
        return _numbered(folder, files, owners, list(below.folders), classes)
    except PlanError:
        if labels_needed:
            raise
        return everything, None, []


def _problem(below: Below) -> str:
    """Return why a folder holds no labelled images; empty if it does."""
    if not below.folders:
        beside = f"; {counted(len(below.beside), 'image')} in it without a class" if below.beside else ""
        return f"has no subfolder, one for each class{beside}"
    if not any(below.folders.values()):
        return f"its subfolders hold no image ({', '.join(list(below.folders)[:5])}, ...)"
    filled = {name.lower() for name, files in below.folders.items() if files}
    if filled <= _SPLITS and below.nested:
        first = next(name for name, files in below.folders.items() if files)
        return f"its subfolders are parts, not classes; name one of them, e.g. path: .../{first}"
    return ""


def _numbered(
    folder: Path,
    files: list[Path],
    owners: Sequence[str],
    names: Sequence[str],
    classes: Sequence[str] | None,
) -> tuple[list[Path], NDArray[np.int64], list[str]]:
    """Return files with labels: numbers of class names, which stand in the order of the raw names of folders.

    Raises:
        PlanError: If a folder's name is no class name, the name of two, or none of `classes`.
    """
    try:
        own = class_names(names)
    except ValueError as error:
        raise PlanError(source=str(folder), problem=f"{error}; rename its subfolder") from error
    chosen = list(classes or own)
    strange = [name for name in own if name not in chosen]
    if strange:
        known = ", ".join(chosen[:20])
        problem = f"its subfolder {strange[0]} is none of the classes {known}"
        raise PlanError(source=str(folder), field="classes", problem=problem)
    number = {raw: chosen.index(name) for raw, name in zip(names, own, strict=True)}
    return files, np.array([number[owner] for owner in owners], dtype=np.int64), chosen
