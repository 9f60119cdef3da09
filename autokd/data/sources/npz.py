"""NumPy archives (`.npz`), without pickles."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from autokd.config.external import ImageShape, NpzSource
from autokd.data.sources.decoding import fit_to_format
from autokd.data.sources.labelled_images import (
    LabelledImages,
    as_images,
    as_labels,
    chosen_indices,
    class_names,
    unreadable,
)
from autokd.errors import PlanError


def read(source: NpzSource, base: Path, wanted: ImageShape) -> LabelledImages:
    """Read the chosen examples of an archive; see `autokd.data.sources.read`."""
    file = base / Path(source.path).expanduser()
    name = str(file)
    try:
        # Opened here: NumPy leaves a file open that is no archive.
        with file.open("rb") as opened:
            arrays = _arrays(opened, file, source)
    except OSError as error:
        raise unreadable(file, error) from error
    images = as_images(arrays[source.images], source=name, field=source.images)
    labels = as_labels(arrays[source.labels], source=name, field=source.labels, count=len(images))
    which = chosen_indices(source, base, len(images))
    classes = class_names(labels, source.classes, _names(arrays.get("classes"), name))
    return LabelledImages(fit_to_format(images[which], wanted, source=name), labels[which], classes)


def _arrays(opened: BinaryIO, file: Path, source: NpzSource) -> dict[str, NDArray[Any]]:
    try:
        archive = np.load(opened, allow_pickle=False)
    except (ValueError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
        raise PlanError(source=str(file), problem="is no NumPy archive (.npz)") from error
    if not isinstance(archive, np.lib.npyio.NpzFile):
        raise PlanError(source=str(file), problem="is one array, not an archive (.npz) of several")
    arrays: dict[str, NDArray[Any]] = {}
    with archive:
        for name in (source.images, source.labels):
            if name not in archive.files:
                problem = f"is missing; there is {', '.join(archive.files[:20]) or 'nothing'}"
                raise PlanError(source=str(file), field=name, problem=problem)
        for name in sorted({source.images, source.labels, "classes"} & set(archive.files)):
            try:
                arrays[name] = np.asarray(archive[name])
            except Exception as error:
                # NumPy and zipfile raise errors of many kinds on damaged headers.
                problem = "holds Python objects, which are not read: they could run code; save plain arrays"
                if "allow_pickle" not in str(error):
                    problem = f"cannot be read ({type(error).__name__}); the file is cut off or damaged"
                raise PlanError(source=str(file), field=name, problem=problem) from error
    return arrays


def _names(classes: NDArray[Any] | None, file: str) -> tuple[str, ...] | None:
    if classes is None:
        return None
    if classes.ndim != 1 or classes.dtype.kind != "U":
        raise PlanError(source=file, field="classes", problem="holds no list of names")
    names = tuple(map(str, classes))
    if len(set(names)) != len(names) or "" in names:
        raise PlanError(source=file, field="classes", problem="holds a name twice, or an empty one")
    return names
