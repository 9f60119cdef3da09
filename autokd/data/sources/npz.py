"""NumPy archives (`.npz`), without pickles."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from autokd.config.images import ImageShape
from autokd.config.sources import NpzSource
from autokd.core.regular_files import check_unfolded
from autokd.data.sources.decoding import Decoder, fit_to_format
from autokd.data.sources.labelled_images import (
    AnyInputs,
    LabelledImages,
    as_images,
    as_labels,
    checked_size,
    chosen_indices,
    labelled,
    named_labels,
    unlabelled,
    unreadable,
    with_channels_first,
)
from autokd.data.sources.tensors import DENSEST, as_tensors, check_form
from autokd.errors import PlanError

_SAVE: Final = "save images and labels by np.savez(file, images=..., labels=...)"
_DENSEST: Final = 32
"""How many times its size an archive of images may unfold to; scanned digits are packed eight times."""


def read(source: NpzSource, base: Path, wanted: ImageShape, labels_needed: bool = True) -> LabelledImages:
    """Read the chosen examples of an archive; see `autokd.data.sources.read`."""
    file = base / Path(source.path).expanduser()
    name = str(file)
    try:
        checked_size(file)
        # Opened here: NumPy leaves a file open that is no archive.
        with file.open("rb") as opened:
            arrays = _arrays(opened, file, source, labels_needed)
    except OSError as error:
        raise unreadable(file, error) from error
    field, decoder = _inputs(source), Decoder.of(source, wanted)
    images, which = arrays[field], chosen_indices(source, base, len(arrays[field]))
    pixels: AnyInputs
    if source.is_tensor:
        pixels = as_tensors(images, source=name, field=field)[which]
    else:
        all_pixels = as_images(images, source=name, field=field, bits=source.bits)
        pixels = fit_to_format(all_pixels[which], decoder, source=name)
    written, named = arrays.get(source.labels, np.empty((0, 0))), _names(arrays.get("classes"), name)
    if len(written) != len(images) and written.ndim == 1 and len(written) == images.shape[-1] > 4:
        problem = f"has the shape {images.shape}, and examples come first; save np.moveaxis({field}, -1, 0)"
        raise PlanError(source=name, field=field, problem=problem)
    try:
        labels, own = _labels(written, source, name, named, count=len(images))
    except PlanError:
        if labels_needed:
            raise
        return unlabelled(pixels, decoder.notes())
    data = labelled(pixels, labels, recipe=source.classes, own=own, source=name, notes=decoder.notes())
    return replace(data, labels=labels[which])


def _inputs(source: NpzSource) -> str:
    """Return the name of the array of inputs."""
    return source.inputs if source.is_tensor else source.images


def _arrays(opened: BinaryIO, file: Path, source: NpzSource, labels_needed: bool) -> dict[str, NDArray[Any]]:
    try:
        archive = np.load(opened, allow_pickle=False)
    except (ValueError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
        raise PlanError(source=str(file), problem=f"is no NumPy archive (.npz); {_SAVE}") from error
    if not isinstance(archive, np.lib.npyio.NpzFile):
        problem = f"is one array, not an archive (.npz) of several; {_SAVE}"
        raise PlanError(source=str(file), problem=problem)
    arrays: dict[str, NDArray[Any]] = {}
    with archive:
        inputs = _inputs(source)
        for name in (inputs, source.labels) if labels_needed else (inputs,):
            if name not in archive.files:
                raise PlanError(source=str(file), field=name, problem=_missing(name, archive.files, source))
        wanted = sorted({inputs, source.labels, "classes"} & set(archive.files))
        _check_forms(archive, wanted, file, source)
        for name in wanted:
            try:
                arrays[name] = np.asarray(archive[name])
            except Exception as error:
                # NumPy and zipfile raise errors of many kinds on damaged headers.
                raise _damaged(file, name, error) from error
    return arrays


def _missing(name: str, there: Sequence[str], source: NpzSource) -> str:
    if any(part.endswith("/data.pkl") for part in there):
        return f"is missing: this is a file of torch.save; {_SAVE}"
    problem = f"is missing; there is {', '.join(there[:20]) or 'nothing'}"
    field = "labels" if name == source.labels else "inputs" if source.is_tensor else "images"
    return f"{problem}; say {field}: <the name of its array>" if there else problem


def _check_forms(archive: Any, names: Iterable[str], file: Path, source: NpzSource) -> None:
    """Refuse an archive by types, shapes and sizes, before any array is read.

    Raises:
        PlanError: If it is not one of images or tensors, or unfolds to any size.
    """
    stored = archive.zip.NameToInfo
    parts = {name: stored.get(f"{name}.npy") or stored[name] for name in names}
    try:
        unfolded = sum(part.file_size for part in parts.values())
        check_unfolded(checked_size(file), unfolded, factor=DENSEST if source.is_tensor else _DENSEST)
    except ValueError as error:
        raise PlanError(source=str(file), problem=str(error)) from None
    for name, part in parts.items():
        try:
            with archive.zip.open(part) as begin:
                form = _form(begin)
        except Exception as error:
            raise _damaged(file, name, error) from error
        if name == _inputs(source):
            check = check_form if source.is_tensor else with_channels_first
            check(form, source=str(file), field=name)


def _form(begin: IO[bytes]) -> NDArray[Any]:
    """Return an array of the type and shape that a file of one array announces, which takes no memory."""
    version = np.lib.format.read_magic(begin)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(begin)
    if dtype.hasobject:
        raise ValueError("allow_pickle")
    return np.broadcast_to(np.empty((), dtype), shape)


def _damaged(file: Path, name: str, error: Exception) -> PlanError:
    problem = "holds Python objects, which are not read: they could run code; save plain arrays"
    if "allow_pickle" not in str(error):
        problem = f"cannot be read ({type(error).__name__}); the file is cut off or damaged"
    return PlanError(source=str(file), field=name, problem=problem)


def _labels(
    values: NDArray[Any], source: NpzSource, name: str, own: list[object] | None, *, count: int
) -> tuple[NDArray[np.int64], Sequence[object] | None]:
    """Return the label of each image, and the names of classes; labels may be such names."""
    if values.ndim != 1 or values.dtype.kind not in "US" or len(values) != count or not count:
        return as_labels(values, source=name, field=source.labels, count=count), own
    known = own if source.classes is None else source.classes
    return named_labels(values.tolist(), known, source=name, field=source.labels)


def _names(classes: NDArray[Any] | None, file: str) -> list[object] | None:
    if classes is None:
        return None
    if classes.ndim != 1 or classes.dtype.kind not in "USiu":
        raise PlanError(source=file, field="classes", problem="holds no list of names")
    return list(classes)
