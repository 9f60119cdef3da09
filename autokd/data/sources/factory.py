"""A `torch.utils.data.Dataset` of the recipe author's own code."""

from __future__ import annotations

from contextlib import chdir
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from autokd.config.external import CodeSource, ImageShape, Source
from autokd.core.import_factory import call, code_of
from autokd.data.sources.decoding import fit_to_format, from_pillow
from autokd.data.sources.labelled_images import LabelledImages, as_images, chosen_indices, class_names
from autokd.data.sources.rereading import unsteady
from autokd.errors import PlanError


def read(
    source: CodeSource, base: Path, wanted: ImageShape, code_folder: Path | None = None
) -> LabelledImages:
    """Read the chosen examples of a data set; see `autokd.data.sources.read`.

    The code runs in the recipe's folder: relative paths in it mean the same wherever the command is typed.
    """
    base, code = base.absolute(), code_of(source.factory, code_folder)
    with chdir(base):
        dataset = call(source.factory, source.options, code)
        return read_dataset(dataset, source, base, wanted, name=source.factory)


def read_dataset(
    dataset: Any, source: Source, base: Path, wanted: ImageShape, *, name: str
) -> LabelledImages:
    """Read the chosen examples of anything with `len` and (image, label) at each index.

    An image is a Pillow image, or a tensor or array: (channels, height, width), or for arrays (height, width)
    with or without channels. Floats that are k/255 for whole k, as `ToTensor` makes them, are kept as k.

    Raises:
        PlanError: If an example is no (image, label), or getting it raises.
    """
    try:
        total = len(dataset)
    except TypeError as error:
        raise PlanError(source=name, problem="makes no data set that has a length") from error
    images, labels = [], []
    rows = chosen_indices(source, base, total)
    for number in rows:
        try:
            image, label = dataset[int(number)]
            images.append(_array(image, wanted, name))
            labels.append(int(label))
        except PlanError:
            raise
        except Exception as error:
            problem = f"example {number} is no (image, label): {type(error).__name__}: {str(error)[:200]}"
            raise PlanError(source=name, problem=problem) from error
        if images[-1].shape != images[0].shape:
            problem = f"image {number} has the shape {images[-1].shape}, the first one {images[0].shape}"
            raise PlanError(source=name, problem=problem)
    stacked = np.stack(images) if images else np.empty((0, 1, 1, 1), dtype=np.uint8)
    numbers = np.array(labels, dtype=np.int64)
    pixels = fit_to_format(_bytes_again(as_images(stacked, source=name, field="")), wanted, source=name)
    classes = class_names(numbers, source.classes, getattr(dataset, "classes", None))
    return LabelledImages(images=pixels, labels=numbers, classes=classes, notes=unsteady(dataset, rows))


def _array(image: object, wanted: ImageShape, name: str) -> NDArray[Any]:
    if isinstance(image, Image.Image):
        return from_pillow(image, wanted, name=name)
    if isinstance(image, torch.Tensor):
        image = image.detach().cpu().numpy()
    array = np.asarray(image)
    return array[None] if array.ndim == 2 else array


def _bytes_again(images: Any) -> Any:
    """Return floats that `ToTensor` made of bytes as bytes: a quarter of the memory, the same numbers."""
    if images.dtype != np.float32 or not images.size or images.min() < 0 or images.max() > 1:
        return images
    pixels = np.rint(images * 255).astype(np.uint8)
    same = torch.equal(torch.from_numpy(pixels).float().div(255), torch.from_numpy(images))
    return pixels if same else images
