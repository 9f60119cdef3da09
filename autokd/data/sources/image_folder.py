"""A folder with one subfolder of images per class, in the order of names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from autokd.config.external import FolderSource, ImageShape, Source
from autokd.data.sources.decoding import decode_all
from autokd.data.sources.labelled_images import LabelledImages, chosen_indices, unreadable
from autokd.errors import PlanError

_SUFFIXES: Final = frozenset(
    {".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"}
)


def read(source: FolderSource, base: Path, wanted: ImageShape) -> LabelledImages:
    """Read the chosen images of a folder; see `autokd.data.sources.read`."""
    return read_folder(base / Path(source.path).expanduser(), source, base, wanted)


def read_folder(folder: Path, source: Source, base: Path, wanted: ImageShape) -> LabelledImages:
    """Read the chosen images of a folder.

    Raises:
        PlanError: If there is no such folder, or an image in it cannot be read.
    """
    files, labels, classes = _listed(folder, source.classes)
    which = chosen_indices(source, base, len(files))
    if not which.size:
        raise PlanError(source=str(folder), problem="no example is chosen")
    images = decode_all(((files[number], str(files[number])) for number in which), len(which), wanted)
    return LabelledImages(images=images, labels=labels[which], classes=classes)


def _listed(
    folder: Path, classes: Sequence[str] | None
) -> tuple[list[Path], NDArray[np.int64], tuple[str, ...]]:
    try:
        below = sorted(entry for entry in folder.iterdir() if entry.is_dir() and entry.name[0] != ".")
    except OSError as error:
        raise unreadable(folder, error) from error
    if not below:
        raise PlanError(source=str(folder), problem="has no subfolder, one for each class")
    names = tuple(classes or (entry.name for entry in below))
    files: list[Path] = []
    labels: list[int] = []
    for entry in below:
        images = sorted(file for file in entry.iterdir() if file.suffix.lower() in _SUFFIXES)
        if entry.name not in names:
            problem = f"its subfolder {entry.name} is none of the classes {', '.join(names)}"
            raise PlanError(source=str(folder), field="classes", problem=problem)
        if not images:
            raise PlanError(source=str(entry), problem="holds no image")
        files += images
        labels += [names.index(entry.name)] * len(images)
    return files, np.array(labels, dtype=np.int64), names
