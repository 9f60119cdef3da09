"""What models from elsewhere get right of the common splits, which they were not trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from autokd.compute.device import Compute
from autokd.config.images import Input
from autokd.core.setting import Split
from autokd.data.dataset import Dataset
from autokd.data.sources.labelled_images import LabelledImages, as_dataset, join
from autokd.data.tensor_facts import facts_of
from autokd.federation.external_models import ValidatedModel
from autokd.federation.findings import Findings
from autokd.federation.held_out_splits import CommonSplits
from autokd.federation.measured import MOST_OF_A_SPLIT, Doubt, Share, answers, doubt, some
from autokd.models.adapter import Adapted
from autokd.models.building import build_for
from autokd.models.inference import logits_of
from autokd.models.weights import load_weights
from autokd.text.reasons import kind_and_words

_LOST: Final = 0.1
"""Accuracy lost from a model's own data to the common splits that makes a second look worth while."""


def measure_on_splits(
    model: ValidatedModel,
    own: LabelledImages,
    common: CommonSplits,
    classes: tuple[str, ...],
    compute: Compute,
    *,
    declared: Input,
    findings: Findings,
) -> ValidatedModel:
    """Return a model with what it gets right of the labelled common splits, of some hundred examples of each.

    A warning is noted if one that is trained is right on its own data, and hardly better than guessing on
    examples of the same classes there, or far better if their pixels or classes are read in another way.
    """
    parts = {
        split.value: part.take(some(len(part.images), MOST_OF_A_SPLIT))
        for split, (_, part) in _labelled(common).items()
    }
    data = as_dataset(join(list(parts.values()), classes), classes)
    module = build_for(data, model.architecture)
    load_weights(module, model.weights)
    assert isinstance(module, Adapted)
    compute.place(module)
    predictions = answers(module, data, compute)
    right = predictions == data.labels
    ends = np.cumsum([len(part.labels) for part in parts.values()])
    shares = {
        name: Share(right=int(part.sum()), of=len(part))
        for name, part in zip(parts, np.split(right, ends[:-1]), strict=True)
    }
    measured = replace(model.measured, splits=shares)
    findings.measured[measured.number] = measured
    rows = _of_classes(data.labels, own, classes)
    if measured.doubt is None and model.checkpoint and len(rows):
        accuracy = float(right[rows].mean())
        if measured.own.accuracy - accuracy > _LOST:
            known = replace(data, images=data.images[rows], labels=data.labels[rows])
            facts = facts_of(known.images, is_tensor=known.is_tensor)
            doubtful = doubt(module, known, predictions[rows], compute, declared=declared, facts=facts)
            if doubtful is not None:
                findings.warn(
                    f"participants.{measured.number}", _words(measured.own.accuracy, accuracy, doubtful)
                )
    return replace(model, measured=measured)


def ask_for_extremes(data: Dataset, models: Sequence[ValidatedModel | None], findings: Findings) -> None:
    """Note models that cannot take the lowest or the highest whole number of anybody's examples.

    The vocabulary of a network may be smaller than that of the others, and every model is asked for all data.
    """
    if data.images.dtype != np.int64:
        return
    flat = data.images.reshape(len(data.images), -1)
    rows = np.array([flat.min(axis=1).argmin(), flat.max(axis=1).argmax()])
    some_data = replace(data, images=data.images[rows], labels=data.labels[rows])
    for number, model in enumerate(models):
        if model is None:
            continue
        module = build_for(data, model.architecture)
        load_weights(module, model.weights)
        try:
            logits_of(module, some_data, Compute())
        except Exception as error:
            low, high = int(flat[rows[0]].min()), int(flat[rows[1]].max())
            findings.problem(
                f"participants.{number}.architecture",
                f"cannot take whole numbers from {low} to {high}, as all data have them: "
                f"{kind_and_words(error)}; do all mean the same by a number (one vocabulary)?",
            )


def _labelled(common: CommonSplits) -> Mapping[Split, tuple[str, LabelledImages]]:
    return {split: common[split.value] for split in Split}


def _of_classes(
    labels: NDArray[np.int64], own: LabelledImages, classes: tuple[str, ...]
) -> NDArray[np.int64]:
    """Return the rows of examples of the classes that a model has been trained on."""
    known = [number for number, name in enumerate(classes) if name in set(own.present)]
    return np.flatnonzero(np.isin(labels, known))


def _words(own: float, accuracy: float, doubtful: Doubt) -> str:
    there = doubtful.words.replace("its outputs", "their classes") if doubtful.on_labels else doubtful.words
    return (
        f"{own:.1%} of its own data are right, and only {accuracy:.1%} of the common splits' examples of the "
        f"same classes; {there}: do its data and the common splits mean the same by pixels and classes?"
    )
