"""Checks of networks that were trained elsewhere: weights, outputs, and accuracy on their own data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import nn

from autokd.compute.device import Compute
from autokd.config.external import ExternalFederation, ExternalParticipant, Network
from autokd.config.federation import ExternalArchitecture
from autokd.config.study import SEARCH_SEED
from autokd.core.weights import Weights
from autokd.data.dataset import Dataset
from autokd.data.sources.labelled_images import LabelledImages, as_dataset
from autokd.data.tensor_facts import facts_of
from autokd.errors import PlanError
from autokd.federation.findings import Findings
from autokd.federation.first_pass import count_outputs
from autokd.federation.hashing import digest
from autokd.federation.label_space import LabelSpace, numbers_in_doubt
from autokd.federation.measured import Doubt, Measured, Share, answers, contradiction, doubt
from autokd.federation.networks import initial_seed
from autokd.federation.questions import ask
from autokd.federation.readings import in_whole_grey, right_answers
from autokd.federation.source_changes import checkpoint_hash
from autokd.models.adapter import Adapted, external_network, input_shape, network_code
from autokd.models.building import build_for
from autokd.models.checkpoint import Checkpoint, read_checkpoint
from autokd.models.hugging_face import by_own_names
from autokd.models.kd_networks import other_meaning
from autokd.models.matching import fit
from autokd.models.shapes import shape_of
from autokd.models.weights import weights_of
from autokd.text.quoting import counted

_TOLERANCE: Final = 0.005
"""Largest difference to a claimed accuracy, which may have been written with two digits."""
_NOT_DRAWN: Final = (
    "is to be untrained, and begins with the same weights for every seed: does its code load weights, or set "
    "a seed of its own? All runs start from these"
)
_IN_MEMORY: Final = "memory:"
"""Prefix of a recipe's checkpoint that was in memory."""


@dataclass(frozen=True, slots=True)
class InMemorySources:
    """Data and weights that a recipe names and that are in memory instead of files, by SHA-256 in hex."""

    data: dict[str, LabelledImages] = field(default_factory=dict)
    weights: dict[str, Mapping[str, torch.Tensor]] = field(default_factory=dict)

    def keep_weights(self, model: nn.Module) -> str:
        """Keep a copy of a model's weights, and return its name for the recipe."""
        arrays = weights_of(model)
        key = digest(arrays)
        self.weights[key] = {name: torch.from_numpy(np.array(value)) for name, value in arrays.items()}
        return f"{_IN_MEMORY}{key}"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ValidatedModel:
    """Network of a participant that was trained elsewhere.

    Attributes:
        measured: What it gets right of its own private data.
        checkpoint: SHA-256 of its checkpoint file, in hex.
    """

    architecture: ExternalArchitecture
    weights: Weights
    measured: Measured
    checkpoint: str


def validate_model(
    recipe: ExternalFederation,
    number: int,
    data: LabelledImages | None,
    space: LabelSpace,
    compute: Compute,
    memory: InMemorySources,
    findings: Findings,
) -> ValidatedModel | None:
    """Return the model of a participant, or None if there are problems, which are then in `findings`.

    If its data could not be read, and are None, only the checkpoint is checked.
    """
    participant = recipe.participants[number]
    where = f"participants.{number}"
    file = recipe.folder / Path(participant.checkpoint).expanduser()
    key = participant.checkpoint.removeprefix(_IN_MEMORY)
    state = Checkpoint.of(memory.weights[key]) if key in memory.weights else None
    if state is None and not participant.is_untrained:
        with findings.noting(f"{where}.checkpoint"):
            state = read_checkpoint(file)
    if data is None:
        return None
    classes = space.classes
    labels = participant.labels or space.outputs_of(data, _outputs_in(state))
    said = participant.architecture.options.get("num_classes")
    # Anything but a number of classes is refused where the network is made.
    outputs = said if type(said) is int and said > 0 else max(labels) + 1
    problem = _problem(recipe, participant, data, labels, outputs, classes)
    if problem is not None:
        findings.problem(f"{where}.{problem[0]}", problem[1])
        return None
    if not set(data.present) <= set(classes):
        return None  # Already reported as a problem of the data.
    with findings.noting(f"{where}.architecture"):
        shape = shape_of(data.images, is_tensor=data.is_tensor, classes=outputs)
        shape = input_shape(participant.input, shape)
        code = network_code(participant.architecture.name, recipe.code_folder)
        network = external_network(participant.architecture, shape=shape, code=code)
        outputs = count_outputs(network, shape, len(labels))
        labels = participant.labels or space.outputs_of(data, outputs)
        if participant.labels is None and len(labels) != outputs:
            findings.problem(
                f"{where}.labels",
                f"the network has {counted(outputs, 'output')}, its data {len(data.classes)} classes; "
                "say which class each output means" + numbers_in_doubt(data, outputs, where),
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
        ).with_code(code)
        own = as_dataset(data, classes)
        copy = partial(build_for, own, architecture)
        if participant.is_untrained:
            if other := other_meaning(architecture.name, architecture.options):
                findings.warn(f"{where}.architecture", other)
            module = copy(seed=initial_seed(number, SEARCH_SEED))
            weights = weights_of(module)
            if _are_equal(weights, weights_of(copy(seed=initial_seed(number, SEARCH_SEED + 1)))):
                findings.warn(f"{where}.architecture", _NOT_DRAWN)
            compute.place(module)
            for warning in ask(copy, weights, own, len(classes)):
                findings.warn(f"{where}.architecture", warning)
            return ValidatedModel(
                architecture=architecture,
                weights=weights,
                measured=_initially(module, own, participant, number, compute, findings),
                checkpoint="",
            )
        module = copy()
        if state is None:
            return None
        with findings.noting(f"{where}.checkpoint"):
            for note in _load(module, participant.architecture, state, file, participant.weights):
                findings.warn(f"{where}.checkpoint", note)
            weights = weights_of(module)
            compute.place(module)
            assert isinstance(module, Adapted)
            measured = _measure(module, own, participant, number, compute, findings)
            with findings.noting(f"{where}.architecture"):
                for warning in ask(copy, weights, own, len(classes)):
                    findings.warn(f"{where}.architecture", warning)
                if measured is None:
                    return None
                return ValidatedModel(
                    architecture=architecture,
                    weights=weights,
                    measured=measured,
                    checkpoint=key if key in memory.weights else checkpoint_hash(file),
                )
    return None


def _problem(
    recipe: ExternalFederation,
    participant: ExternalParticipant,
    data: LabelledImages,
    labels: Mapping[int, str],
    outputs: int,
    classes: tuple[str, ...],
) -> tuple[str, str] | None:
    """Return field and text of the first problem that shows before the network is built."""
    unlisted = [name for name in labels.values() if name not in classes] if participant.labels else []
    if unlisted:
        listed = "federation.classes" if recipe.classes else "the classes of the data"
        return "labels", f"class {unlisted[0]} is missing in {listed}"
    if not set(data.present) <= set(classes):
        return None
    unknown = sorted(set(data.present) - set(labels.values()))
    if unknown:
        return "labels", f"its data has the class {unknown[0]}, which none of the network's outputs means"
    if outputs <= max(labels):
        return "labels", _no_output(labels, outputs)
    channels = participant.input.channels or data.images.shape[1]
    for name, values in (("mean", participant.input.mean), ("std", participant.input.std)):
        if len(values) not in (1, channels):
            entries = (
                f"{channels} entries of the first axis" if data.is_tensor else counted(channels, "channel")
            )
            three = len(values) == 3 and not data.is_tensor
            way_out = "; say channels: 3 if the network takes grey as three equal channels" if three else ""
            return f"input.{name}", f"has {counted(len(values), 'number')} for {entries}{way_out}"
    return None


def _load(
    module: nn.Module, network: Network, state: Checkpoint, file: Path, wanted: str | None
) -> tuple[str, ...]:
    """Load a checkpoint into an adapted network, and return what the user should know.

    Mostly it has the weights of the owner's network. What `autokd distill` wrote for a network that lacks
    classes has those of the layer for these, too.
    """
    assert isinstance(module, Adapted)
    if module.unknown is not None and any("unknown.weight" in names for names in state.found.values()):
        return fit(module, state, file, wanted=wanted)
    try:
        return fit(module.network, by_own_names(module.network, state), file, wanted=wanted)
    except PlanError as error:
        other = other_meaning(network.name, network.options)
        if not other:
            raise
        raise PlanError(source=error.source, problem=f"{error.problem}; {other}") from error


def _outputs_in(state: Checkpoint | None) -> int | None:
    """Return the number of outputs by the last weights of a checkpoint, usually those of the classifier."""
    named = [] if state is None else [list(weights.values()) for weights in state.found.values()]
    last_weights = [weights[-1] for weights in named if weights]
    if state is not None and not last_weights:
        last_weights = [values[-1] for values in state.in_order.values() if values]
    outputs = {len(last) for last in last_weights if last.ndim in (1, 2)}
    return outputs.pop() if len(outputs) == 1 else None


def _no_output(labels: Mapping[int, str], outputs: int) -> str:
    return f"output {max(labels)} does not exist: the network has {outputs}, numbered from 0"


def _measure(
    module: Adapted,
    own: Dataset,
    participant: ExternalParticipant,
    number: int,
    compute: Compute,
    findings: Findings,
) -> Measured | None:
    """Return what a model gets right of its own data, or None if that is not what its owner says.

    Raises:
        PlanError: If the forward pass fails, or logits are not finite.
    """
    where, declared = f"participants.{number}", participant.input
    predictions = answers(module, own, compute)
    share = Share(right=int((predictions == own.labels).sum()), of=len(own.labels))
    facts = facts_of(own.images, is_tensor=own.is_tensor)
    doubtful = doubt(module, own, predictions, compute, declared=declared, facts=facts)
    measured = Measured(number=number, architecture=participant.architecture.name, own=share, doubt=doubtful)
    findings.measured[number] = measured
    _tell_of_grey(module, own, participant, share, where, compute, findings)
    hint = "" if doubtful is None else _hint(doubtful, where)
    said = f"{share.accuracy:.1%} of its own data are right"
    against = contradiction(declared, facts)
    if against is not None:
        field, problem = against
        if doubtful is not None:
            findings.problem(f"{where}.input.{field}", f"{problem}; only {said}{hint}")
            return None
        findings.warn(f"{where}.input.{field}", f"{problem}; but {said} as it is")
    claimed = participant.claimed_accuracy
    if claimed is None:
        if hint and against is None:
            findings.warn(where, f"only {said}{hint}")
        return measured
    if abs(claimed - share.accuracy) <= max(_TOLERANCE, 1.5 / share.of):
        return measured
    findings.problem(
        f"{where}.claimed_accuracy",
        f"the model gets {share.accuracy:.1%} of its own data right, not {claimed:.1%}"
        + (hint or "; see its input (mean, std), labels and data"),
    )
    return None


def _tell_of_grey(
    module: Adapted,
    own: Dataset,
    participant: ExternalParticipant,
    share: Share,
    where: str,
    compute: Compute,
    findings: Findings,
) -> None:
    """Warn where the two usual ways to make colour images grey answer differently."""
    reading = in_whole_grey(participant.input, own)
    if reading is None:
        return
    other = right_answers(module, own, compute, np.arange(len(own.labels)), reading).mean()
    if other != share.accuracy:
        findings.warn(
            f"{where}.input.channels",
            f"{share.accuracy:.2%} of its own data are right with grey as torchvision's Grayscale makes it "
            f"of tensors, {reading.words} it would be {other:.2%}: {reading.way_out}",
        )


def _are_equal(weights: Weights, others: Weights) -> bool:
    return all(np.array_equal(value, others[name]) for name, value in weights.items())


def _initially(
    module: nn.Module,
    own: Dataset,
    participant: ExternalParticipant,
    number: int,
    compute: Compute,
    findings: Findings,
) -> Measured:
    """Return what an untrained model gets right of its own data, of which nothing is expected."""
    assert isinstance(module, Adapted)
    right = int((answers(module, own, compute) == own.labels).sum())
    share = Share(right=right, of=len(own.labels))
    measured = Measured(number=number, architecture=participant.architecture.name, own=share, doubt=None)
    findings.measured[number] = measured
    return measured


def _hint(doubtful: Doubt, where: str) -> str:
    """Return what is doubtful as the end of a sentence."""
    if doubtful.on_labels:
        return f"; {doubtful.words}: see {where}.labels"
    way_out = doubtful.way_out or "do checkpoint, labels, input and data belong together?"
    return f"; {doubtful.words}: {way_out}"
