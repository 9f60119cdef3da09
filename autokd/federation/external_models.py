"""Checks of networks that were trained elsewhere: weights, outputs, and accuracy on their own data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import nn

from autokd.compute.device import Compute
from autokd.config.external import ExternalFederation, ExternalParticipant
from autokd.config.federation import ExternalArchitecture
from autokd.data.dataset import Dataset
from autokd.data.sources.labelled_images import LabelledImages, renumbered, scale_of, unknown_classes
from autokd.errors import PlanError
from autokd.federation.findings import Findings
from autokd.federation.in_memory_sources import IN_MEMORY, InMemorySources
from autokd.models.adapter import external_network, input_shape
from autokd.models.building import build
from autokd.models.checkpoint import checkpoint_hash, fit, read_checkpoint
from autokd.models.inference import logits_of
from autokd.models.weights import Weights, weights_of

_TOLERANCE: Final = 0.005
"""Largest difference to a claimed accuracy, which may have been written with two digits."""
_WORTH_A_HINT: Final = 0.2
"""Gain in accuracy by another order of the outputs that is hardly chance."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ValidatedModel:
    """Network of a participant that was trained elsewhere.

    Attributes:
        accuracy: Accuracy on its own private data, in [0, 1].
        checkpoint: SHA-256 of its checkpoint file, in hex.
    """

    architecture: ExternalArchitecture
    weights: Weights
    accuracy: float
    checkpoint: str


def validate_models(
    recipe: ExternalFederation,
    private: Sequence[LabelledImages | None],
    classes: tuple[str, ...],
    compute: Compute,
    memory: InMemorySources,
    findings: Findings,
) -> list[ValidatedModel]:
    """Return the models without problems; problems of the others go into `findings`.

    Args:
        recipe: Federation with the location of its file.
        private: Each participant's data; None where it could not be read.
        classes: Class names of the federation.
        compute: Device on which the models are evaluated.
        memory: Data and weights that are not in files.
        findings: Receives problems and warnings.
    """
    models = (
        _validate_model(recipe, number, data, classes, compute, memory, findings)
        for number, data in enumerate(private)
    )
    return [model for model in models if model is not None]


def _validate_model(
    recipe: ExternalFederation,
    number: int,
    data: LabelledImages | None,
    classes: tuple[str, ...],
    compute: Compute,
    memory: InMemorySources,
    findings: Findings,
) -> ValidatedModel | None:
    participant = recipe.participants[number]
    where = f"participants.{number}"
    file = recipe.folder / Path(participant.checkpoint).expanduser()
    key = participant.checkpoint.removeprefix(IN_MEMORY)
    state = memory.weights.get(key)
    if state is None:
        with findings.noting(f"{where}.checkpoint"):
            state = read_checkpoint(file)
    if data is None:
        return None
    labels = participant.labels or dict(enumerate(data.classes))
    channels, size = data.images.shape[1], data.images.shape[2]
    outputs = int(participant.architecture.options.get("num_classes", max(labels) + 1))  # type: ignore[arg-type]
    for field, problem in _problems(recipe, participant, data, labels, outputs, classes):
        findings.problem(f"{where}.{field}", problem)
        return None
    if unknown_classes(data, classes):
        return None  # Already reported as a problem of the data.
    with findings.noting(f"{where}.architecture"):
        shape = input_shape(participant.input, channels=channels, size=size, classes=outputs)
        network = external_network(participant.architecture, shape=shape, base=recipe.folder)
        outputs = _count_outputs(network, torch.zeros(2, shape.channels, shape.size, shape.size))
        if participant.labels is None and len(data.classes) != outputs:
            findings.problem(
                f"{where}.labels",
                f"the network has {outputs} outputs, its data {len(data.classes)} classes; say which class "
                "each output means",
            )
            return None
        if outputs <= max(labels):
            findings.problem(f"{where}.labels", _no_output(labels, outputs))
            return None
        output_of = {name: output for output, name in labels.items()}
        architecture = ExternalArchitecture(
            name=participant.architecture.name,
            options=participant.architecture.options,
            outputs=outputs,
            labels=tuple(output_of.get(name, -1) for name in classes),
            input=participant.input,
        )
        module = build(
            architecture.located(recipe.folder / "recipe"), channels=channels, size=size, classes=len(classes)
        )
        if state is None:
            return None
        with findings.noting(f"{where}.checkpoint"):
            fit(module.get_submodule("network"), state, file)
            accuracy = _evaluate(module, data, classes, compute)
            if _as_claimed(participant, accuracy, len(data.labels), findings, where):
                return ValidatedModel(
                    architecture=architecture,
                    weights=weights_of(module),
                    accuracy=accuracy.actual,
                    checkpoint=key if participant.checkpoint.startswith(IN_MEMORY) else checkpoint_hash(file),
                )
    return None


def _problems(
    recipe: ExternalFederation,
    participant: ExternalParticipant,
    data: LabelledImages,
    labels: Mapping[int, str],
    outputs: int,
    classes: tuple[str, ...],
) -> Iterator[tuple[str, str]]:
    """Yield field and problem of what is wrong before the network is built."""
    unlisted = [name for name in labels.values() if name not in classes] if participant.labels else []
    if unlisted:
        listed = "federation.classes" if recipe.classes else "the classes of the data"
        yield "labels", f"class {unlisted[0]} is missing in {listed}"
    if unknown_classes(data, classes):
        return
    unknown = sorted({data.classes[label] for label in np.unique(data.labels)} - set(labels.values()))
    if unknown:
        yield "labels", f"its data has the class {unknown[0]}, which none of the network's outputs means"
    if outputs <= max(labels):
        yield "labels", _no_output(labels, outputs)
    channels = participant.input.channels or data.images.shape[1]
    for name, values in (("mean", participant.input.mean), ("std", participant.input.std)):
        if len(values) not in (1, channels):
            yield f"input.{name}", f"has {len(values)} numbers for {channels} channels"


def _no_output(labels: Mapping[int, str], outputs: int) -> str:
    return f"output {max(labels)} does not exist: the network has {outputs}, numbered from 0"


def _count_outputs(network: nn.Module, images: torch.Tensor) -> int:
    """Return the number of outputs, by one forward pass.

    Raises:
        PlanError: If the pass fails, or does not return logits.
    """
    network.eval()
    try:
        with torch.inference_mode():
            answers = network(images)
    except Exception as error:
        shape = "x".join(map(str, images.shape[1:]))
        words = str(error).partition("\n")[0][:200]
        problem = f"cannot take images of {shape} (channels, height, width): {type(error).__name__}: {words}"
        raise PlanError(source="forward pass", problem=problem) from error
    if not isinstance(answers, torch.Tensor) or answers.ndim != 2 or len(answers) != len(images):
        got = tuple(answers.shape) if isinstance(answers, torch.Tensor) else type(answers).__name__
        problem = f"answers {got} to {len(images)} images, not logits of shape ({len(images)}, classes)"
        raise PlanError(source="forward pass", problem=problem)
    return int(answers.shape[1])


@dataclass(frozen=True, slots=True)
class _Accuracy:
    """Accuracy of a model on its own data.

    Attributes:
        actual: Accuracy as the recipe has the outputs.
        best: Accuracy with the outputs in the order that suits the data best.
        order: In that order: class that replaces each class whose output moves.
    """

    actual: float
    best: float
    order: Mapping[str, str]


def _evaluate(
    module: nn.Module, data: LabelledImages, classes: tuple[str, ...], compute: Compute
) -> _Accuracy:
    """Return the accuracy on the model's own data.

    Raises:
        PlanError: If logits are not finite.
    """
    channels = data.images.shape[1]
    dataset = Dataset(
        images=data.images,
        labels=renumbered(data, classes),
        classes=classes,
        mean=(0.0,) * channels,
        std=(scale_of(data.images),) * channels,
    )
    logits = logits_of(compute.place(module), dataset, compute)
    module.to("cpu")
    if not np.isfinite(logits).all():
        raise PlanError(source="", problem="the model answers with values that are not finite numbers")
    predictions = logits.argmax(axis=1)
    confusion = np.zeros((len(classes), len(classes)), dtype=np.int64)
    np.add.at(confusion, (predictions, dataset.labels), 1)
    # Imported here: it takes a moment, and prepared federations do without.
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(confusion, maximize=True)
    order = {
        classes[predicted]: classes[meant]
        for predicted, meant in zip(rows, columns, strict=True)
        if predicted != meant and confusion[predicted].sum() and confusion[predicted, meant]
    }
    return _Accuracy(
        actual=float((predictions == dataset.labels).mean()),
        best=float(confusion[rows, columns].sum() / len(predictions)),
        order=order,
    )


def _as_claimed(
    participant: ExternalParticipant, accuracy: _Accuracy, examples: int, findings: Findings, where: str
) -> bool:
    """Return whether the accuracy agrees with the recipe's claim, if there is one."""
    hint = ""
    if accuracy.best - accuracy.actual > _WORTH_A_HINT:
        predicted, meant = next(iter(accuracy.order.items()))
        hint = (
            f"; with its outputs in another order it would be {accuracy.best:.1%} (what it calls {predicted} "
            f"is mostly {meant}): see {where}.labels"
        )
    claimed = participant.claimed_accuracy
    if claimed is None:
        if hint:
            findings.warn(where, f"only {accuracy.actual:.1%} of its own data are right{hint}")
        return True
    if abs(claimed - accuracy.actual) <= max(_TOLERANCE, 1.5 / examples):
        return True
    findings.problem(
        f"{where}.claimed_accuracy",
        f"the model gets {accuracy.actual:.1%} of its own data right, not {claimed:.1%}"
        + (hint or "; see its input (mean, std), labels and data"),
    )
    return False
