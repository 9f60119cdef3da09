"""Networks that were trained elsewhere, looked at: weights, outputs, and how good each is on its own data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
from autokd.data.sources.labelled_images import Labelled, renumbered, scale_of, unknown_classes
from autokd.errors import PlanError
from autokd.federation.findings import Findings
from autokd.federation.in_memory_sources import IN_MEMORY, InMemorySources
from autokd.models.adapter import external_network, input_shape
from autokd.models.building import build
from autokd.models.checkpoint import checkpoint_hash, fit, read_checkpoint
from autokd.models.inference import logits_of
from autokd.models.weights import Weights, weights_of

_TOLERANCE: Final = 0.005
"""By how much a claimed accuracy may be off: it may have been written with two digits."""
_WORTH_A_HINT: Final = 0.2
"""So much more accuracy with the outputs in another order is hardly chance."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ValidatedModel:
    """A participant's network.

    Attributes:
        accuracy: On its own private data, in [0, 1].
        checkpoint: SHA-256 of its file, in hex.
    """

    architecture: ExternalArchitecture
    weights: Weights
    accuracy: float
    checkpoint: str


def validate_models(
    recipe: ExternalFederation,
    private: Sequence[Labelled | None],
    classes: tuple[str, ...],
    compute: Compute,
    memory: InMemorySources,
    findings: Findings,
) -> list[ValidatedModel]:
    """The networks with which nothing is wrong; what is with others stands in `findings` then.

    Args:
        recipe: As it lies in its file.
        private: Each participant's data; None where it could not be read.
        classes: Of the federation.
        compute: Where the models are asked about their own data.
        memory: What is not in files.
        findings: Where problems and warnings go.
    """
    found = []
    for number, (one, data) in enumerate(zip(recipe.participants, private, strict=True)):
        network = _network(recipe, number, one, data, classes, compute, memory, findings)
        if network is not None:
            found.append(network)
    return found


def _network(
    recipe: ExternalFederation,
    number: int,
    one: ExternalParticipant,
    data: Labelled | None,
    classes: tuple[str, ...],
    compute: Compute,
    memory: InMemorySources,
    findings: Findings,
) -> ValidatedModel | None:
    """One participant's network with its weights, after it has answered on its own data."""
    where = f"participants.{number}"
    file = recipe.folder / Path(one.checkpoint).expanduser()
    state = memory.weights.get(one.checkpoint.removeprefix(IN_MEMORY))
    if state is None:
        with findings.noting(f"{where}.checkpoint"):
            state = read_checkpoint(file)
    if data is None:
        return None
    labels = one.labels or dict(enumerate(data.classes))
    unlisted = [name for name in labels.values() if name not in classes] if one.labels else []
    if unlisted:
        listed = "federation.classes" if recipe.classes else "the classes of the data"
        findings.problem(f"{where}.labels", f"class {unlisted[0]} is missing in {listed}")
        return None
    if unknown_classes(data, classes):
        return None  # Likewise.
    there = {data.classes[label] for label in np.unique(data.labels)}
    unknown = sorted(there - set(labels.values()))
    if unknown:
        findings.problem(
            f"{where}.labels",
            f"its data has the class {unknown[0]}, which none of the network's outputs means",
        )
        return None
    outputs = int(one.architecture.options.get("num_classes", max(labels) + 1))  # type: ignore[arg-type]
    if outputs <= max(labels):
        problem = f"output {max(labels)} does not exist: the network has {outputs}, numbered from 0"
        findings.problem(f"{where}.labels", problem)
        return None
    channels, size = data.images.shape[1], data.images.shape[2]
    for name, values in (("mean", one.input.mean), ("std", one.input.std)):
        if len(values) not in (1, one.input.channels or channels):
            problem = f"has {len(values)} numbers for {one.input.channels or channels} channels"
            findings.problem(f"{where}.input.{name}", problem)
            return None
    with findings.noting(f"{where}.architecture"):
        shape = input_shape(one.input, channels=channels, size=size, classes=outputs)
        bare = external_network(one.architecture, shape=shape, base=recipe.folder)
        answered = _answers(bare, torch.zeros(2, shape.channels, shape.size, shape.size))
        if one.labels is None and len(data.classes) != answered:
            findings.problem(
                f"{where}.labels",
                f"the network has {answered} outputs, its data {len(data.classes)} classes; say which class "
                "each output means",
            )
            return None
        if answered <= max(labels):
            problem = f"output {max(labels)} does not exist: the network has {answered}, numbered from 0"
            findings.problem(f"{where}.labels", problem)
            return None
        means = {name: output for output, name in labels.items()}
        architecture = ExternalArchitecture(
            name=one.architecture.name,
            options=one.architecture.options,
            outputs=answered,
            labels=tuple(means.get(name, -1) for name in classes),
            input=one.input,
        )
        placed = architecture.located(recipe.folder / "recipe")
        module = build(placed, channels=channels, size=size, classes=len(classes))
        if state is None:
            return None
        with findings.noting(f"{where}.checkpoint"):
            fit(module.get_submodule("network"), state, file)
            accuracy = _accuracy(module, data, classes, compute, findings, where)
            if accuracy is not None and _as_claimed(one, accuracy, len(data.labels), findings, where):
                return ValidatedModel(
                    architecture=architecture,
                    weights=weights_of(module),
                    accuracy=accuracy.right,
                    checkpoint=_hash(one, file),
                )
    return None


def _hash(one: ExternalParticipant, file: Path) -> str:
    if one.checkpoint.startswith(IN_MEMORY):
        return one.checkpoint.removeprefix(IN_MEMORY)
    return checkpoint_hash(file)


def _answers(network: nn.Module, images: torch.Tensor) -> int:
    """How many outputs a network has, by one forward pass.

    Raises:
        PlanError: If it raises, or answers no logits.
    """
    network.eval()
    try:
        with torch.inference_mode():
            answers = network(images)
    except Exception as error:
        shape = "x".join(map(str, images.shape[1:]))
        words = str(error).partition("\n")[0][:200]
        problem = f"cannot take images of {shape} (channels, height, width): {type(error).__name__}: {words}"
        raise PlanError(source="forward pass", field="", problem=problem) from error
    if not isinstance(answers, torch.Tensor) or answers.ndim != 2 or len(answers) != len(images):
        got = tuple(answers.shape) if isinstance(answers, torch.Tensor) else type(answers).__name__
        problem = f"answers {got} to {len(images)} images, not logits of shape ({len(images)}, classes)"
        raise PlanError(source="forward pass", field="", problem=problem)
    return int(answers.shape[1])


@dataclass(frozen=True, slots=True)
class _Accuracy:
    """Of a model on its own data, as it is, and with its outputs in the order that suits it best."""

    right: float
    best: float
    order: Mapping[str, str]


def _accuracy(
    module: nn.Module,
    data: Labelled,
    classes: tuple[str, ...],
    compute: Compute,
    findings: Findings,
    where: str,
) -> _Accuracy | None:
    images = Dataset(
        images=data.images,
        labels=renumbered(data, classes),
        classes=classes,
        mean=(0.0,) * data.images.shape[1],
        std=(scale_of(data.images),) * data.images.shape[1],
    )
    logits = logits_of(compute.place(module), images, compute)
    module.to("cpu")
    if not np.isfinite(logits).all():
        findings.problem(f"{where}.checkpoint", "the model answers with values that are not finite numbers")
        return None
    answers = logits.argmax(axis=1)
    confusion = np.zeros((len(classes), len(classes)), dtype=np.int64)
    np.add.at(confusion, (answers, images.labels), 1)
    # Imported here: it takes a moment, and prepared federations do without.
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(confusion, maximize=True)
    order = {
        classes[said]: classes[meant]
        for said, meant in zip(rows, columns, strict=True)
        if said != meant and confusion[said].sum() and confusion[said, meant]
    }
    total = len(answers)
    return _Accuracy(
        right=float((answers == images.labels).sum() / total),
        best=float(confusion[rows, columns].sum() / total),
        order=order,
    )


def _as_claimed(
    one: ExternalParticipant, accuracy: _Accuracy, examples: int, findings: Findings, where: str
) -> bool:
    """Whether a model is as good on its own data as the recipe says; without a claim, whatever it is."""
    hint = ""
    if accuracy.best - accuracy.right > _WORTH_A_HINT:
        said, meant = next(iter(accuracy.order.items()))
        hint = (
            f"; with its outputs in another order it would be {accuracy.best:.1%} (what is told {said} is "
            f"mostly {meant}): see {where}.labels"
        )
    claimed = one.claimed_accuracy
    if claimed is None:
        if hint:
            findings.warn(where, f"only {accuracy.right:.1%} of its own data are right{hint}")
        return True
    if abs(claimed - accuracy.right) <= max(_TOLERANCE, 1.5 / examples):
        return True
    findings.problem(
        f"{where}.claimed_accuracy",
        f"the model gets {accuracy.right:.1%} of its own data right, not {claimed:.1%}"
        + (hint or "; see its input (mean, std), labels and data"),
    )
    return False
