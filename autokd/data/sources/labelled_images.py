"""What every source gives, and what images look like once they are read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from autokd.config.external import Source
from autokd.errors import PlanError

Pixels = NDArray[np.uint8] | NDArray[np.float32]
_COLOURS: Final = (1, 3)
_MOST_CLASSES: Final = 100_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """What images are brought to as they are read; None keeps what there is, which then has to agree.

    Attributes:
        channels: 1 or 3.
        size: Height and width, pixels.
    """

    channels: int | None = None
    size: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """Images with labels.

    Attributes:
        images: Shape (n, channels, height, width); uint8 pixels from 0 to 255, or float32 as they are.
        labels: Shape (n,), indices into `classes`.
        classes: Names.
    """

    images: Pixels
    labels: NDArray[np.int64]
    classes: tuple[str, ...]


def chosen_indices(source: Source, base: Path, total: int) -> NDArray[np.int64]:
    """Which of a source's examples are asked for, in order.

    Raises:
        PlanError: If there are none, or numbers that do not exist.
    """
    if source.indices is None:
        found = np.arange(total)[source.start : source.stop : source.step]
        if not found.size and total:
            raise PlanError(source="", field="start", problem=f"leaves none of {total} examples")
        return found
    file = base / source.indices
    found = _numbers(file)
    if found.size and not (found.min() >= 0 and found.max() < total):
        problem = f"names example {_outside(found, total)}, and there are {total}, numbered from 0"
        raise PlanError(source=str(file), field="indices", problem=problem)
    if len(np.unique(found)) != len(found):
        raise PlanError(source=str(file), field="indices", problem="names an example twice")
    return found


def _outside(numbers: NDArray[np.int64], total: int) -> int:
    return int(numbers[(numbers < 0) | (numbers >= total)][0])


def _numbers(file: Path) -> NDArray[np.int64]:
    try:
        if file.suffix == ".npy":
            found = np.load(file, allow_pickle=False)
        else:
            found = np.array([int(line) for line in file.read_text(encoding="utf-8").split()], dtype=np.int64)
    except OSError as error:
        raise unreadable(file, error) from error
    except (ValueError, EOFError, OverflowError) as error:
        raise PlanError(source=str(file), field="indices", problem="holds no list of numbers") from error
    if not isinstance(found, np.ndarray) or found.ndim != 1 or found.dtype.kind not in "iu":
        raise PlanError(source=str(file), field="indices", problem="holds no list of whole numbers")
    return found.astype(np.int64)


def unreadable(file: Path, error: OSError) -> PlanError:
    """What the system says of a file."""
    return PlanError(source=str(file), field="", problem=f"cannot be read: {error.strerror or error}")


def as_images(array: NDArray[Any], *, source: str, field: str) -> Pixels:
    """An array of images as (n, channels, height, width), uint8 or float32.

    The channels are what has 1 or 3 entries: behind height and width, or before them.

    Raises:
        PlanError: If these are no images.
    """

    def refused(problem: str) -> PlanError:
        return PlanError(source=source, field=field, problem=problem)

    if array.dtype == np.bool_ or array.dtype.kind not in "uif":
        raise refused(f"holds {array.dtype}, not pixels (uint8, or floating-point numbers)")
    if array.ndim == 3:
        array = array[:, None]
    elif array.ndim == 4 and array.shape[3] in _COLOURS and array.shape[1] not in _COLOURS:
        array = array.transpose(0, 3, 1, 2)
    if array.ndim != 4 or array.shape[1] not in _COLOURS or 0 in array.shape[1:]:
        problem = f"has the shape {array.shape}, not (n, height, width) with or without 1 or 3 channels"
        raise refused(problem)
    if array.dtype.kind == "f":
        return np.ascontiguousarray(array, dtype=np.float32)
    if array.dtype != np.uint8 and array.size and not (array.min() >= 0 and array.max() <= 255):
        raise refused(f"holds whole numbers from {array.min()} to {array.max()}; pixels are 0 to 255")
    return np.ascontiguousarray(array, dtype=np.uint8)


def as_labels(values: NDArray[Any], *, source: str, field: str, count: int) -> NDArray[np.int64]:
    """Labels as whole numbers, one for each of `count` images.

    Raises:
        PlanError: If they are none.
    """
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1 or values.dtype.kind not in "iu":
        problem = f"holds {values.dtype} of shape {values.shape}, not one whole number for each image"
        raise PlanError(source=source, field=field, problem=problem)
    if len(values) != count:
        problem = f"has {len(values)} labels for {count} images"
        raise PlanError(source=source, field=field, problem=problem)
    if values.size and (values.min() < 0 or values.max() > _MOST_CLASSES):
        problem = f"labels run from {values.min()} to {values.max()}; they are class numbers from 0"
        raise PlanError(source=source, field=field, problem=problem)
    return values.astype(np.int64)


def class_names(
    labels: NDArray[np.int64], given: Iterable[str] | None, own: Iterable[str] | None
) -> tuple[str, ...]:
    """Names of the classes: the recipe's, or the source's own, or else their numbers."""
    if given is not None:
        return tuple(given)
    if own is not None:
        return tuple(own)
    return tuple(str(number) for number in range(int(labels.max()) + 1 if labels.size else 0))


def unknown_classes(one: Labelled, classes: tuple[str, ...]) -> list[str]:
    """Classes that examples have and the federation has not."""
    return [one.classes[label] for label in np.unique(one.labels) if one.classes[label] not in classes]


def renumbered(one: Labelled, classes: tuple[str, ...]) -> NDArray[np.int64]:
    """Labels as indices into the common classes."""
    place = {name: number for number, name in enumerate(classes)}
    numbers = np.array([place.get(name, 0) for name in one.classes], dtype=np.int64)
    return numbers[one.labels]


def scale_of(images: NDArray[np.generic]) -> float:
    """The value of a pixel that is fully on."""
    return 255.0 if images.dtype == np.uint8 else 1.0
