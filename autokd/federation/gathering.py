"""Puts participants that were trained elsewhere together, and finds all that is wrong with them on the way.

Nothing is written here. Each problem is noted and the rest looked at all the same, so that a recipe's author
sees all of them at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from autokd.compute import Compute
from autokd.errors import InputError, PlanError
from autokd.federation._federation import Dataset
from autokd.federation.adapted import input_shape, own_network
from autokd.federation.architectures import Weights, build, weights_of
from autokd.federation.checkpoint import fit, read_checkpoint
from autokd.federation.common import Common, common_splits
from autokd.federation.content import digest
from autokd.federation.folder import checkpoint_hash
from autokd.federation.layout import Layout
from autokd.federation.pretraining import logits_of
from autokd.federation.sources import Labelled, Wanted, read
from autokd.own import AnySource, MemorySource, OwnFederation, OwnParticipant
from autokd.plan import OwnArchitecture

_TOLERANCE: Final = 0.005
"""By how much a claimed accuracy may be off: it may have been written with two digits."""
_WORTH_A_HINT: Final = 0.2
"""So much more accuracy with the outputs in another order is hardly chance."""
_FEWEST: Final = 2
_IN_MEMORY: Final = "memory:"
"""How a recipe's checkpoint begins that is no file, but was in memory."""


@dataclass(slots=True)
class Findings:
    """What is wrong with a recipe.

    Attributes:
        source: The recipe's file.
        problems: What has to be mended.
        warnings: What the recipe's author should know.
    """

    source: str
    problems: list[PlanError] = field(default_factory=list)
    warnings: list[PlanError] = field(default_factory=list)

    def problem(self, where: str, problem: str) -> None:
        self.problems.append(self._finding(where, problem))

    def warn(self, where: str, problem: str) -> None:
        self.warnings.append(self._finding(where, problem))

    def _finding(self, where: str, problem: str) -> PlanError:
        return PlanError(source=self.source, field=f"federation.{where}", problem=problem)

    def noting(self, where: str) -> AbstractContextManager[None, bool]:
        """Inside, what is raised is noted under a field, and ends no more than the inside."""
        return _Noting(self, where)


@dataclass(frozen=True, slots=True)
class _Noting(AbstractContextManager[None, bool]):
    findings: Findings
    where: str

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
        if not isinstance(error, InputError):
            return False
        self.findings.problem(self.where, str(error))
        return True


@dataclass(frozen=True, slots=True)
class Memory:
    """What a recipe names that is in memory, by its SHA-256 in hex."""

    data: dict[str, Labelled] = field(default_factory=dict)
    weights: dict[str, Mapping[str, torch.Tensor]] = field(default_factory=dict)

    def keep_weights(self, model: nn.Module) -> str:
        """Keep a copy of a model's weights; what a recipe calls it."""
        arrays = weights_of(model)
        key = digest(arrays)
        self.weights[key] = {name: torch.from_numpy(np.array(value)) for name, value in arrays.items()}
        return f"{_IN_MEMORY}{key}"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Gathered:
    """A federation but for what its models answer.

    Attributes:
        weights: By participant.
        accuracies: Of each model on its own private data, in [0, 1].
        checkpoints: SHA-256 of the files, in hex.
    """

    data: Dataset
    layout: Layout
    architectures: tuple[OwnArchitecture, ...]
    weights: tuple[Weights, ...]
    accuracies: tuple[float, ...]
    checkpoints: tuple[str, ...]


def gather(
    recipe: OwnFederation, compute: Compute, findings: Findings, memory: Memory | None = None
) -> Gathered | None:
    """Read and look at everything; None if there are problems, which stand in `findings` then.

    Args:
        recipe: As it lies in its file.
        compute: Where the models are asked about their own data.
        findings: Where problems and warnings go.
        memory: What is not in files.
    """
    memory = memory or Memory()
    wanted = Wanted(channels=recipe.images.channels, size=recipe.images.size)
    private = [
        _read(one.data, recipe, wanted, memory, findings, f"participants.{number}.data")
        for number, one in enumerate(recipe.participants)
    ]
    common = common_splits(
        recipe, lambda source, where: _read(source, recipe, wanted, memory, findings, where), findings.noting
    )
    known = [one for one in private if one is not None]
    for number, one in enumerate(private):
        if one is not None and len(one.images) < _FEWEST:
            findings.problem(f"participants.{number}.data", "holds one example; BatchNorm needs two")
    classes = _classes(recipe, known, common, findings)
    if common is None or len(known) < recipe.size or not _one_shape(private, common, findings):
        # Networks and checkpoints are looked at even so, as far as it goes.
        _networks(recipe, private, classes, compute, memory, findings)
        return None
    networks = _networks(recipe, private, classes, compute, memory, findings)
    common = _disjoint(recipe, known, common, findings)
    _enough(known, common, classes, findings)
    if findings.problems:
        return None
    data, layout = _joined(known, common, classes)
    return Gathered(
        data=data,
        layout=layout,
        architectures=tuple(one.architecture for one in networks),
        weights=tuple(one.weights for one in networks),
        accuracies=tuple(one.accuracy for one in networks),
        checkpoints=tuple(one.checkpoint for one in networks),
    )


def _read(
    source: AnySource,
    recipe: OwnFederation,
    wanted: Wanted,
    memory: Memory,
    findings: Findings,
    where: str,
) -> Labelled | None:
    if isinstance(source, MemorySource) and source.sha256 in memory.data:
        return memory.data[source.sha256]
    with findings.noting(where):
        return read(source, recipe.folder, wanted)
    return None


def _classes(
    recipe: OwnFederation, private: Sequence[Labelled], common: Common | None, findings: Findings
) -> tuple[str, ...]:
    """The common label space; classes of anybody's that are not in it are problems."""
    classes = recipe.classes or tuple(dict.fromkeys(name for one in private for name in one.classes))
    if recipe.classes is None and len(private) < recipe.size:
        return classes  # What those would have named whose data cannot be read is not known.
    for number, one in enumerate(private):
        beyond = _beyond(one, classes)
        if beyond:
            problem = f"has the class {beyond[0]}, which is missing in federation.classes"
            findings.problem(f"participants.{number}.data", problem)
    for place, (where, part) in zip(common.parts, common.of_parts(), strict=True) if common else ():
        beyond = _beyond(part, classes)
        if beyond and where != "public":
            missing = "is missing in federation.classes" if recipe.classes else "no participant's data has"
            known = ", ".join(classes[:10])
            problem = f"{where} has the class {beyond[0]}, which {missing}; known: {known}"
            findings.problem(place, problem)
    return classes


def _beyond(one: Labelled, classes: tuple[str, ...]) -> list[str]:
    """Classes that examples have and the federation has not."""
    return [one.classes[label] for label in np.unique(one.labels) if one.classes[label] not in classes]


def _one_shape(private: Sequence[Labelled | None], common: Common, findings: Findings) -> bool:
    """Whether all images have one shape; who differs from the first participant is a problem."""
    assert private[0] is not None
    shape = private[0].images.shape[1:]
    parts = {f"participants.{number}.data": one for number, one in enumerate(private)} | dict(common.parts)
    right = True
    for where, one in parts.items():
        if one is not None and one.images.shape[1:] != shape:
            told = "{}x{}x{}".format(*one.images.shape[1:])
            expected = "{}x{}x{}".format(*shape)
            findings.problem(
                where,
                f"images are {told} (channels, height, width), those of participant 0 are {expected}; give "
                "federation.images (channels, size) to bring all to one shape",
            )
            right = False
    return right


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Network:
    architecture: OwnArchitecture
    weights: Weights
    accuracy: float
    checkpoint: str


def _networks(
    recipe: OwnFederation,
    private: Sequence[Labelled | None],
    classes: tuple[str, ...],
    compute: Compute,
    memory: Memory,
    findings: Findings,
) -> list[_Network]:
    found = []
    for number, (one, data) in enumerate(zip(recipe.participants, private, strict=True)):
        network = _network(recipe, number, one, data, classes, compute, memory, findings)
        if network is not None:
            found.append(network)
    return found


def _network(
    recipe: OwnFederation,
    number: int,
    one: OwnParticipant,
    data: Labelled | None,
    classes: tuple[str, ...],
    compute: Compute,
    memory: Memory,
    findings: Findings,
) -> _Network | None:
    """One participant's network with its weights, after it has answered on its own data."""
    where = f"participants.{number}"
    file = recipe.folder / Path(one.checkpoint).expanduser()
    state = memory.weights.get(one.checkpoint.removeprefix(_IN_MEMORY))
    if state is None:
        with findings.noting(f"{where}.checkpoint"):
            state = read_checkpoint(file)
    if data is None:
        return None
    labels = one.labels or dict(enumerate(data.classes))
    beyond = [name for name in labels.values() if name not in classes] if one.labels else []
    if beyond:
        listed = "federation.classes" if recipe.classes else "the classes of the data"
        findings.problem(f"{where}.labels", f"class {beyond[0]} is missing in {listed}")
        return None
    if _beyond(data, classes):
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
        bare = own_network(one.architecture, shape=shape, base=recipe.folder)
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
        architecture = OwnArchitecture(
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
                return _Network(
                    architecture=architecture,
                    weights=weights_of(module),
                    accuracy=accuracy.right,
                    checkpoint=_hash(one, file),
                )
    return None


def _hash(one: OwnParticipant, file: Path) -> str:
    if one.checkpoint.startswith(_IN_MEMORY):
        return one.checkpoint.removeprefix(_IN_MEMORY)
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
        labels=_renumbered(data, classes),
        classes=classes,
        mean=(0.0,) * data.images.shape[1],
        std=(_scale(data.images),) * data.images.shape[1],
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
    one: OwnParticipant, accuracy: _Accuracy, examples: int, findings: Findings, where: str
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


def _disjoint(
    recipe: OwnFederation, private: Sequence[Labelled], common: Common, findings: Findings
) -> Common:
    """The common splits without what is somebody's private data, or in a split before."""
    seen: dict[bytes, str] = {}
    for number, own in enumerate(private):
        for key in _keys(own.images):
            seen.setdefault(key, f"private data of participant {number}")
    kept = {}
    for name, (where, part) in zip(common.parts, common.of_parts(), strict=True):
        owners = [seen.get(key) for key in _keys(part.images)]
        # What is unlabelled may well be somebody's private data: nobody is judged on it.
        bad = [
            row
            for row, owner in enumerate(owners)
            if owner is not None and not (where == "public" and owner.startswith("private"))
        ]
        if bad and recipe.splits.duplicates == "refuse":
            findings.problem(
                name,
                f"{len(bad)} of {len(owners)} images of {where} are also {owners[bad[0]]}, e.g. number "
                f"{bad[0]}: a student would be judged on what it was trained on. Take them out, or set "
                "federation.splits.duplicates: drop",
            )
        rest = np.setdiff1d(np.arange(len(owners)), bad)
        kept[where] = Labelled(part.images[rest], part.labels[rest], part.classes)
        for key in _keys(part.images):
            seen.setdefault(key, f"in {where}")
    return Common(**kept, places=common.places)


def _keys(images: NDArray[np.generic]) -> list[bytes]:
    from hashlib import blake2b

    return [blake2b(np.ascontiguousarray(one).tobytes(), digest_size=16).digest() for one in images]


def _enough(
    private: Sequence[Labelled], common: Common, classes: tuple[str, ...], findings: Findings
) -> None:
    """Whether every student can be judged on every split: some of its classes have to be there."""
    for name, (where, part) in zip(common.parts, common.of_parts(), strict=True):
        if where == "public":
            continue
        if not len(part.images):
            findings.problem(name, f"{where} is empty")
            continue
        here = {part.classes[label] for label in np.unique(part.labels)}
        for number, own in enumerate(private):
            held = {own.classes[label] for label in np.unique(own.labels)}
            if not held & here:
                problem = f"{where} has no example of any class of participant {number}"
                findings.problem(name, problem)
            elif held - here:
                absent = sorted(held - here)
                findings.warn(name, f"{where} has no example of {absent[0]}, a class of participant {number}")


def _joined(private: Sequence[Labelled], common: Common, classes: tuple[str, ...]) -> tuple[Dataset, Layout]:
    """All images in one array, and who has which."""
    parts = [*private, *(part for _, part in common.of_parts())]
    exact = all(one.images.dtype == np.uint8 for one in parts)
    images = np.concatenate([one.images if exact else _floats(one.images) for one in parts])
    labels = np.concatenate([_renumbered(one, classes) for one in parts])
    ends = np.cumsum([len(one.images) for one in parts])
    places = np.split(np.arange(len(images), dtype=np.int64), ends[:-1])
    own, shared = places[: len(private)], places[len(private) :]
    named = dict(zip((where for where, _ in common.of_parts()), shared, strict=True))
    channels = images.shape[1]
    data = Dataset(
        images=images,
        labels=labels,
        classes=classes,
        mean=(0.0,) * channels,
        std=(_scale(images),) * channels,
    )
    return data, Layout(splits=common.splits(named), public=named["public"], private=tuple(own))


def _floats(images: NDArray[np.generic]) -> NDArray[np.float32]:
    """As torchvision's ToTensor makes them of bytes."""
    pixels = torch.from_numpy(np.asarray(images))
    floats: NDArray[np.float32] = (pixels if images.dtype == np.float32 else pixels.float().div(255)).numpy()
    return floats


def _scale(images: NDArray[np.generic]) -> float:
    return 255.0 if images.dtype == np.uint8 else 1.0


def _renumbered(one: Labelled, classes: tuple[str, ...]) -> NDArray[np.int64]:
    """Labels as indices into the common classes."""
    place = {name: number for number, name in enumerate(classes)}
    numbers = np.array([place.get(name, 0) for name in one.classes], dtype=np.int64)
    return numbers[one.labels]
