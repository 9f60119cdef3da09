"""A `torch.utils.data.Dataset` of the recipe author's own code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import chdir
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from autokd.config.images import ImageShape
from autokd.config.sources import CodeSource, Source
from autokd.core.import_factory import call, code_of
from autokd.data.sources.decoding import Decoder, fit_to_format
from autokd.data.sources.labelled_images import (
    AnyInputs,
    LabelledImages,
    as_images,
    as_labels,
    chosen_indices,
    labelled,
    named_labels,
    unlabelled,
)
from autokd.data.sources.rereading import unsteady
from autokd.data.sources.tensors import as_tensors
from autokd.errors import PlanError

_IMAGE: Final = ("image", "img", "images", "pixel_values")
_INPUT: Final = ("inputs", "input_ids", "features", "input", "x")
_LABEL: Final = ("label", "labels", "fine_label", "target")
"""Keys of examples that are mappings, as those of Hugging Face's `datasets`."""


def read(
    source: CodeSource,
    base: Path,
    wanted: ImageShape,
    labels_needed: bool = True,
    code_folder: Path | None = None,
) -> LabelledImages:
    """Read the chosen examples of a data set; see `autokd.data.sources.read`.

    The code runs in the recipe's folder: relative paths in it mean the same wherever the command is typed.
    """
    base, code = base.absolute(), code_of(source.factory, code_folder)
    with chdir(base):
        dataset = call(source.factory, source.options, code)
        return read_dataset(dataset, source, base, wanted, name=source.factory, labels_needed=labels_needed)


def read_dataset(
    dataset: Any,
    source: Source,
    base: Path,
    wanted: ImageShape,
    *,
    name: str,
    labels_needed: bool = True,
) -> LabelledImages:
    """Read the chosen examples of anything with `len` and (image, label) at each index.

    With `values: tensor` the first is anything that NumPy takes for numbers: an array, a tensor, a list.

    An image is a Pillow image, or a tensor or array: (channels, height, width), or for arrays (height, width)
    with or without channels. Floats that are k/255 for whole k, as `ToTensor` makes them, are kept as k.

    Raises:
        PlanError: If an example is no (image, label), or getting it raises.
    """
    try:
        total = len(dataset)
    except TypeError as error:
        problem = "makes no data set that has a length; a list of (image, label) is one"
        raise PlanError(source=name, problem=problem) from error
    if not hasattr(type(dataset), "__getitem__"):
        problem = (
            f"a {type(dataset).__name__} has no examples by number; give the data set that it takes them from"
        )
        raise PlanError(source=name, problem=problem)
    images, labels, from_pillow, of_tensors = [], [], False, source.is_tensor
    # The owner's code has decoded the images and turned them, or not.
    decoder = Decoder(wanted, bits=source.bits, upright=None)
    rows = chosen_indices(source, base, total)
    for number in rows:
        try:
            image, label = _parts(dataset[int(number)], labels_needed, _INPUT if of_tensors else _IMAGE)
            images.append(_numbers_in(image) if of_tensors else _array(image, decoder, name))
            from_pillow = isinstance(image, Image.Image)
            labels.append(_label(label, labels_needed))
        except PlanError:
            raise
        except Exception as error:
            kind = "input" if of_tensors else "image"
            problem = f"example {number} is no ({kind}, label): {type(error).__name__}: {str(error)[:200]}"
            raise PlanError(source=name, problem=problem) from error
        if images[-1].shape != images[0].shape or images[-1].dtype != images[0].dtype:
            last, first = (f"{image.dtype} of shape {image.shape}" for image in (images[-1], images[0]))
            kind = "example" if of_tensors else "image"
            problem = (
                f"{kind} {number} is {last}, the first one {first}; make all of one shape and type there"
            )
            raise PlanError(source=name, problem=problem)
    stacked = np.stack(images) if images else np.empty((0, 1, 1, 1), dtype=np.uint8)
    pixels: AnyInputs
    if of_tensors:
        pixels = as_tensors(stacked, source=name, field="")
    else:
        # Pillow's images are in [0, 1] already.
        pixels = as_images(stacked, source=name, field="", bits=None if from_pillow else source.bits)
        pixels = fit_to_format(_bytes_again(pixels), decoder, source=name)
    notes = (*decoder.notes(), *unsteady(dataset, rows))
    try:
        named = None if source.classes is not None else _own_classes(dataset, name)
        numbers, own = _numbers(labels, source, name, named)
    except PlanError:
        if labels_needed:
            raise
        return unlabelled(pixels, notes)
    return labelled(pixels, numbers, recipe=source.classes, own=own, source=name, notes=notes)


def _parts(example: Any, labels_needed: bool, keys: Sequence[str]) -> tuple[Any, Any]:
    """Return input, which is under one of `keys` in a mapping, and label of an example.

    The label is -1 if it has none and needs none.
    """
    if isinstance(example, Mapping):
        images = [example[key] for key in keys if key in example]
        if len(images) != 1:
            raise ValueError(f"its keys are {', '.join(map(str, example))}, not one of which is `{keys[0]}`")
        labels = [example[key] for key in _LABEL if key in example]
        if len(labels) > 1:
            raise ValueError(f"its keys are {', '.join(map(str, example))}, of which several are labels")
        return images[0], _or_none(labels, labels_needed)
    is_row = keys is _INPUT and isinstance(example, list) and bool(example) and np.ndim(example[0]) == 0
    if isinstance(example, tuple | list) and (labels_needed or not is_row):
        if not labels_needed:
            return example[0], _or_none(list(example[1:2]), labels_needed)
        image, label = example
        return image, label
    if labels_needed:
        raise TypeError(f"it is a {type(example).__name__}")
    return example, -1


def _or_none(labels: list[Any], labels_needed: bool) -> Any:
    if labels and labels[0] is not None:
        return labels[0]
    if labels_needed:
        raise ValueError("it has no label")
    return -1


def _numbers(
    labels: list[int | str], source: Source, name: str, own: Sequence[object] | None
) -> tuple[NDArray[np.int64], Sequence[object] | None]:
    """Return labels as numbers, with the names of classes; labels may be such names."""
    if not labels or not any(isinstance(label, str) for label in labels):
        numbers = np.array(labels, dtype=np.int64)
        return as_labels(numbers, source=name, field="labels", count=len(labels)), own
    if not all(isinstance(label, str) for label in labels):
        raise PlanError(
            source=name, field="labels", problem="some are names, others numbers; make all one kind"
        )
    return named_labels(labels, source.classes if own is None else own, source=name, field="labels")


def _label(label: Any, labels_needed: bool) -> int | str:
    """Return a label as the name of a class, or a whole number, which is never rounded."""
    if isinstance(label, str):
        return label
    try:
        value = np.asarray(label.detach().cpu() if isinstance(label, torch.Tensor) else label)
        if value.size == 1 and value.dtype.kind in "iufb" and float(value.item()).is_integer():
            return int(np.clip(value.item(), -2, 2**31))
        shown = value.item() if value.size == 1 else label
        raise ValueError(f"the label {str(shown)[:60]!r} is no whole number")
    except ValueError:
        if labels_needed:
            raise
        return -1


def _own_classes(dataset: Any, name: str) -> list[object] | None:
    """Return the class names of a data set, or of the one that it is a part of; None if it names none."""
    for _ in range(10):
        features = getattr(dataset, "features", None)
        classes = getattr(dataset, "classes", None)
        if classes is None and isinstance(features, Mapping):
            named = [getattr(features.get(key), "names", None) for key in _LABEL]
            classes = next((names for names in named if names), None)
        if classes is None:
            classes = getattr(dataset, "class_to_idx", None)
        if classes is not None:
            return _listed(classes, name)
        # `Subset` and the parts of `random_split`.
        dataset = getattr(dataset, "dataset", None)
    return None


def _listed(classes: Any, name: str) -> list[object]:
    if isinstance(classes, Mapping):
        # From name to number, as `class_to_idx`, or from number to name.
        by_number = (
            classes if all(isinstance(key, int) for key in classes) else {n: c for c, n in classes.items()}
        )
        if sorted(by_number) == list(range(len(by_number))):
            return [by_number[number] for number in range(len(by_number))]
    try:
        if isinstance(classes, str | Mapping):
            raise TypeError(type(classes))
        return list(classes)
    except TypeError as error:
        problem = "is no list of names in the order of labels; give the recipe's own classes"
        raise PlanError(source=name, field="classes", problem=problem) from error


def _array(image: object, decoder: Decoder, name: str) -> NDArray[Any]:
    if isinstance(image, Image.Image):
        return decoder.from_pillow(image, name=name)
    if isinstance(image, torch.Tensor):
        image = image.detach().cpu().numpy()
    array = np.asarray(image)
    return array[None] if array.ndim == 2 else array


def _numbers_in(values: object) -> NDArray[Any]:
    return np.asarray(values.detach().cpu() if isinstance(values, torch.Tensor) else values)


def _bytes_again(images: Any) -> Any:
    """Return floats that `ToTensor` made of bytes as bytes: a quarter of the memory, the same numbers."""
    if images.dtype != np.float32 or not images.size or images.min() < 0 or images.max() > 1:
        return images
    pixels = np.rint(images * 255).astype(np.uint8)
    same = torch.equal(torch.from_numpy(pixels).float().div(255), torch.from_numpy(images))
    return pixels if same else images
