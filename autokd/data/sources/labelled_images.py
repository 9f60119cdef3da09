"""Examples with labels, as every source returns them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from autokd.config.sources import Source
from autokd.core.class_names import class_names
from autokd.core.regular_files import regular_size
from autokd.data.dataset import Dataset
from autokd.data.sources.depth import in_unit
from autokd.data.sources.tensors import Tensors
from autokd.data.temporary_arrays import concatenate, copy_rows
from autokd.errors import PlanError
from autokd.text.quoting import counted

Pixels = NDArray[np.uint8] | NDArray[np.float32]
AnyInputs = Pixels | Tensors
_CHANNELS: Final = (1, 3)
_MOST_CLASSES: Final = 100_000
_UNLABELLED: Final = ("unlabelled",)


@dataclass(frozen=True, slots=True, eq=False)
class LabelledImages:
    """Images, or tensors that are none, with labels.

    Attributes:
        images: Shape (n, channels, height, width); uint8 pixels from 0 to 255, or float32 as they are. Of
            tensors: shape (n, ...), float32 or int64.
        labels: Shape (n,), indices into `classes`.
        classes: Class names.
        notes: What the owner should know of how they were read.
        named: Whether source or recipe name the classes; otherwise their names are the numbers of the labels.
        is_tensor: Whether the inputs are tensors that are no images.
    """

    images: AnyInputs
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    notes: tuple[str, ...] = ()
    named: bool = True
    is_tensor: bool = False

    @property
    def present(self) -> list[str]:
        """Names of the classes that have an example."""
        return [self.classes[label] for label in np.unique(self.labels)]

    def take(self, rows: NDArray[np.int64]) -> LabelledImages:
        """Return a copy of some examples, in the order of `rows`."""
        return replace(self, images=copy_rows(self.images, rows), labels=self.labels[rows], notes=())

    def renumbered(self, classes: tuple[str, ...]) -> NDArray[np.int64]:
        """Return the labels as indices into other class names; a class that is missing there becomes 0."""
        index = {name: number for number, name in enumerate(classes)}
        return np.array([index.get(name, 0) for name in self.classes], dtype=np.int64)[self.labels]


def chosen_indices(source: Source, base: Path, total: int) -> NDArray[np.int64]:
    """Return the indices of the examples that a source asks for, in order.

    Raises:
        PlanError: If there are none, or indices that do not exist.
    """
    if source.indices is None:
        rows = np.arange(total)[source.start : source.stop : source.step]
        if not rows.size and total:
            raise PlanError(source="", field="start", problem=f"leaves none of {total} examples")
        return rows
    file = base / source.indices

    def refused(problem: str) -> PlanError:
        return PlanError(source=str(file), field="indices", problem=problem)

    try:
        checked_size(file, most=2**30)
        if file.suffix == ".npy":
            rows = np.load(file, allow_pickle=False)
        else:
            rows = np.array([int(line) for line in file.read_text(encoding="utf-8").split()], dtype=np.int64)
    except OSError as error:
        raise unreadable(file, error) from error
    except (ValueError, EOFError, OverflowError) as error:
        raise refused("holds no list of numbers") from error
    if not isinstance(rows, np.ndarray) or rows.ndim != 1 or rows.dtype.kind not in "iu":
        raise refused("holds no list of whole numbers")
    rows = rows.astype(np.int64)
    outside = rows[(rows < 0) | (rows >= total)]
    if outside.size:
        raise refused(f"names example {outside[0]}, and there are {total}, numbered from 0")
    if len(np.unique(rows)) != len(rows):
        raise refused("names an example twice")
    return rows


def checked_size(file: Path, *, most: int = 2**36) -> int:
    """Return the size in bytes of a file that is to be read; see `regular_size`.

    Raises:
        PlanError: If it is no regular file, or too large.
    """
    try:
        return regular_size(file, most=most)
    except OSError as error:
        raise unreadable(file, error) from error
    except ValueError as error:
        raise PlanError(source=str(file), problem=str(error)) from None


def unreadable(file: Path | str, error: OSError) -> PlanError:
    """Return the error for a file that the system cannot read."""
    slashes = "; folders are separated by /" if "\\" in str(file) else ""
    return PlanError(source=str(file), problem=f"cannot be read: {error.strerror or error}{slashes}")


def as_images(array: NDArray[Any], *, source: str, field: str, bits: int | None = None) -> Pixels:
    """Return images as (n, channels, height, width), uint8 or float32.

    The axis of channels has 1 or 3 entries and comes after height and width, or before them. With `bits`, a
    pixel p that is no byte means p / (2^bits - 1).

    Raises:
        PlanError: If the array holds no images.
    """

    def refused(problem: str) -> PlanError:
        return PlanError(source=source, field=field, problem=problem)

    array = with_channels_first(array, source=source, field=field)
    if bits is not None and array.dtype != np.uint8 and (bits != 8 or array.dtype.kind == "f"):
        return in_unit(np.ascontiguousarray(array), bits, name=source, field=field)
    if array.dtype.kind == "f":
        return np.ascontiguousarray(array, dtype=np.float32)
    if array.dtype != np.uint8 and array.size and not (array.min() >= 0 and array.max() <= 255):
        problem = f"holds whole numbers from {array.min()} to {array.max()}; pixels are 0 to 255"
        deep = "unless the source says bits: 12 (0 to 4095), bits: 16 (0 to 65535), ..."
        raise refused(f"{problem}; save them so, as uint8" if array.min() < 0 else f"{problem}, {deep}")
    return np.ascontiguousarray(array, dtype=np.uint8)


def with_channels_first(array: NDArray[Any], *, source: str, field: str) -> NDArray[Any]:
    """Return a view of images with the axes (n, channels, height, width); no pixel is looked at.

    Raises:
        PlanError: If its type or shape is not that of images.
    """
    if array.dtype == np.bool_ or array.dtype.kind not in "uif":
        problem = f"holds {array.dtype}, not pixels (uint8, or floating-point numbers)"
        problem += "; save 0.0 and 1.0 for false and true" if array.dtype == np.bool_ else ""
        raise PlanError(source=source, field=field, problem=problem)
    shape = array.shape
    if array.ndim == 3:
        array = array[:, None]
    elif array.ndim == 4 and shape[3] in _CHANNELS and shape[1] not in _CHANNELS:
        array = array.transpose(0, 3, 1, 2)
    if array.ndim != 4 or array.shape[1] not in _CHANNELS or 0 in array.shape[1:]:
        problem = f"has the shape {array.shape}, not (n, height, width) with or without 1 or 3 channels"
        if 4 in (array.shape[1:2] + array.shape[3:]):
            problem += "; of red, green, blue and transparency leave the last out"
        else:
            problem += "; reshape it, or say values: tensor if these are no such images"
        raise PlanError(source=source, field=field, problem=problem)
    return array


def as_labels(values: NDArray[Any], *, source: str, field: str, count: int) -> NDArray[np.int64]:
    """Return labels as whole numbers, one for each of `count` images; they are never rounded.

    Raises:
        PlanError: If the values are no such labels.
    """
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.dtype.kind == "f" and values.ndim == 1 and (values == np.rint(values)).all():
        # Whole numbers that went through a table with gaps, say. Infinity and larger ones are refused below.
        values = np.clip(values, -1, _MOST_CLASSES + 1).astype(np.int64)
    if values.ndim != 1 or values.dtype.kind not in "iu":
        problem = _no_numbers(values)
    elif len(values) != count:
        problem = f"has {counted(len(values), 'label')} for {counted(count, 'image')}"
    elif values.size and (values.min() < 0 or values.max() > _MOST_CLASSES):
        unlabelled = "; only public examples may be unlabelled (-1)" if values.min() == -1 else ""
        problem = (
            f"labels run from {values.min()} to {values.max()}; they are class numbers from 0{unlabelled}"
        )
    else:
        return values.astype(np.int64)
    raise PlanError(source=source, field=field, problem=problem)


def _no_numbers(values: NDArray[Any]) -> str:
    """Return why values are no labels, and the way out."""
    problem = f"holds {values.dtype} of shape {values.shape}, not one whole number for each image"
    if values.ndim == 2 and values.dtype.kind in "iufb":
        return f"{problem}; if these are one-hot rows or probabilities, save argmax(axis=1) instead"
    if values.ndim == 1 and values.dtype.kind == "f" and values.size:
        number = int((values != np.rint(values)).argmax())
        return f"{problem}: example {number} has {values[number]:g}, and labels are never rounded"
    if values.ndim == 1 and values.dtype.kind == "b":
        return f"{problem}; save 0 and 1 for false and true"
    return f"{problem}; save the number of each class, from 0"


def named_labels(
    names: Sequence[Any], classes: Sequence[object] | None, *, source: str, field: str
) -> tuple[NDArray[np.int64], list[str]]:
    """Return labels that are written as names as numbers, with the names by number: `classes`, or sorted.

    Raises:
        PlanError: If one is no class name, two are the same, or one is none of `classes`.
    """
    written = sorted(set(names))
    try:
        own = class_names(written)
        chosen = list(own if classes is None else class_names(classes))
    except ValueError as error:
        raise PlanError(source=source, field=field, problem=str(error)) from error
    strange = [name for name in own if name not in chosen]
    if strange:
        problem = f"has the class {strange[0]}, which is none of classes ({', '.join(chosen[:20])})"
        raise PlanError(source=source, field=field, problem=problem)
    number = {raw: chosen.index(name) for raw, name in zip(written, own, strict=True)}
    return np.array([number[name] for name in names], dtype=np.int64), chosen


def labelled(
    images: AnyInputs,
    labels: NDArray[np.int64],
    *,
    recipe: Iterable[object] | None,
    own: Iterable[object] | None,
    source: str,
    notes: tuple[str, ...] = (),
) -> LabelledImages:
    """Return images with labels under the recipe's class names, or else the source's own, or the numbers.

    Raises:
        PlanError: If the names are not valid; names the source.
    """
    written = own if recipe is None else recipe
    try:
        names = (
            tuple(map(str, range(labels.max(initial=-1) + 1))) if written is None else class_names(written)
        )
    except ValueError as error:
        way_out = "; say classes, their names by number" if recipe is None else ""
        raise PlanError(source=source, field="classes", problem=f"{error}{way_out}") from error
    return LabelledImages(images, labels, names, named=written is not None, notes=notes)


def unlabelled(images: AnyInputs, notes: tuple[str, ...] = ()) -> LabelledImages:
    """Return images without labels, which only public examples may lack."""
    return LabelledImages(images, np.zeros(len(images), dtype=np.int64), _UNLABELLED, notes=notes)


def join(parts: Sequence[LabelledImages], classes: tuple[str, ...]) -> LabelledImages:
    """Return all examples in one array, larger than memory if need be; images as bytes if all are bytes."""
    exact = len({part.images.dtype for part in parts}) == 1
    images = concatenate([part.images if exact else as_floats(part.images) for part in parts])
    labels = np.concatenate([part.renumbered(classes) for part in parts])
    named, is_tensor = any(part.named for part in parts), any(part.is_tensor for part in parts)
    return LabelledImages(images, labels, classes, named=named, is_tensor=is_tensor)


def as_floats(images: AnyInputs) -> NDArray[Any]:
    """Return pixels as torchvision's ToTensor makes them of bytes; other inputs as they are."""
    if images.dtype != np.uint8:
        return images
    return np.divide(images, np.float32(255), dtype=np.float32)


def as_dataset(data: LabelledImages, classes: tuple[str, ...]) -> Dataset:
    """Return examples under other class names; its moments only bring pixels to [0, 1]."""
    channels = 0 if data.is_tensor else data.images.shape[1]
    white = 255.0 if data.images.dtype == np.uint8 else 1.0
    return Dataset(
        images=data.images,
        labels=data.renumbered(classes),
        classes=classes,
        mean=(0.0,) * channels,
        std=(white,) * channels,
    )
