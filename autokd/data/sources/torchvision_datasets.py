"""torchvision's data sets from a local folder; nothing is downloaded unless the recipe asks for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from autokd.config.images import ImageShape
from autokd.config.sources import TorchvisionSource
from autokd.data.sources.decoding import Decoder, fit_to_format
from autokd.data.sources.image_folder import read_folder
from autokd.data.sources.labelled_images import LabelledImages, as_images, chosen_indices, labelled
from autokd.errors import PlanError


def read(
    source: TorchvisionSource, base: Path, wanted: ImageShape, labels_needed: bool = True
) -> LabelledImages:
    """Read the chosen examples of a data set; see `autokd.data.sources.read`."""
    root = base / Path(source.root).expanduser()
    part = "train" if source.train else "test"
    if (root / part).is_dir() and not source.download:
        return read_folder(root / part, source, base, wanted, labels_needed)
    dataset = _open(source, root, part)
    labels = np.asarray(getattr(dataset, "targets", getattr(dataset, "labels", None)), dtype=np.int64)
    images = as_images(np.asarray(dataset.data), source=str(root), field=source.dataset)
    which = chosen_indices(source, base, len(images))
    own = getattr(dataset, "classes", None) or range(10)
    decoder = Decoder.of(source, wanted)
    pixels = fit_to_format(images[which], decoder, source=str(root))
    return labelled(
        pixels, labels[which], recipe=source.classes, own=own, source=str(root), notes=decoder.notes()
    )


def _open(source: TorchvisionSource, root: Path, part: str) -> Any:
    from torchvision import datasets

    options = {"split": part} if source.dataset == "SVHN" else {"train": source.train}
    try:
        return getattr(datasets, source.dataset)(root=str(root), download=source.download, **options)
    except Exception as error:
        # Parsers, network and disk raise errors of many kinds; `download` mends most of them.
        way_out = (
            "see whether this machine may download"
            if source.download
            else "set download: true, or let root hold its files or the image folders train and test"
        )
        words = str(error).partition("\n")[0][:200]
        problem = f"torchvision's {source.dataset} is not there, or damaged ({words}); {way_out}"
        raise PlanError(source=str(root), field="root", problem=problem) from error
