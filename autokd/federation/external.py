"""Puts participants that were trained elsewhere together, and finds all that is wrong with them on the way.

Nothing is written here. Each problem is noted and the rest looked at all the same, so that a recipe's author
sees all of them at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from autokd.compute.device import Compute
from autokd.config.external import AnySource, ExternalFederation, MemorySource
from autokd.config.federation import ExternalArchitecture
from autokd.data.dataset import Dataset
from autokd.data.mapped_arrays import pieces
from autokd.data.sources import read
from autokd.data.sources.labelled_images import Labelled, Wanted, renumbered, scale_of, unknown_classes
from autokd.data.temporary_arrays import concatenate, copy_rows
from autokd.errors import PlanError
from autokd.federation.external_models import validate_models
from autokd.federation.findings import Findings
from autokd.federation.held_out_splits import CommonSplits, common_splits
from autokd.federation.in_memory_sources import InMemorySources
from autokd.federation.layout import Layout
from autokd.models.weights import Weights

_FEWEST: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LoadedExternal:
    """A federation but for what its models answer.

    Attributes:
        weights: By participant.
        accuracies: Of each model on its own private data, in [0, 1].
        checkpoints: SHA-256 of the files, in hex.
    """

    data: Dataset
    layout: Layout
    architectures: tuple[ExternalArchitecture, ...]
    weights: tuple[Weights, ...]
    accuracies: tuple[float, ...]
    checkpoints: tuple[str, ...]


def load_external(
    recipe: ExternalFederation, compute: Compute, findings: Findings, memory: InMemorySources | None = None
) -> LoadedExternal | None:
    """Read and look at everything; None if there are problems, which stand in `findings` then.

    Args:
        recipe: As it lies in its file.
        compute: Where the models are asked about their own data.
        findings: Where problems and warnings go.
        memory: What is not in files.
    """
    memory = memory or InMemorySources()
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
    readable = common is not None and len(known) == recipe.size and _one_shape(private, common, findings)
    # Networks and checkpoints are looked at even where it is not, as far as it goes.
    networks = validate_models(recipe, private, classes, compute, memory, findings)
    if common is None or not readable:
        return None
    common = _disjoint(recipe, known, common, findings)
    _enough(known, common, classes, findings)
    if findings.problems:
        return None
    data, layout = _joined(known, common, classes)
    return LoadedExternal(
        data=data,
        layout=layout,
        architectures=tuple(one.architecture for one in networks),
        weights=tuple(one.weights for one in networks),
        accuracies=tuple(one.accuracy for one in networks),
        checkpoints=tuple(one.checkpoint for one in networks),
    )


def load_external_or_raise(
    recipe: ExternalFederation, compute: Compute, *, source: str, memory: InMemorySources | None = None
) -> LoadedExternal:
    """The same for who goes on only if nothing is wrong.

    Raises:
        PlanError: Of what is wrong, all of it.
    """
    findings = Findings(source)
    found = load_external(recipe, compute, findings, memory)
    if found is None:
        raise PlanError.together(findings.problems)
    return found


def _read(
    source: AnySource,
    recipe: ExternalFederation,
    wanted: Wanted,
    memory: InMemorySources,
    findings: Findings,
    where: str,
) -> Labelled | None:
    if isinstance(source, MemorySource) and source.sha256 in memory.data:
        return memory.data[source.sha256]
    with findings.noting(where):
        return read(source, recipe.folder, wanted)
    return None


def _classes(
    recipe: ExternalFederation, private: Sequence[Labelled], common: CommonSplits | None, findings: Findings
) -> tuple[str, ...]:
    """The common label space; classes of anybody's that are not in it are problems."""
    classes = recipe.classes or tuple(dict.fromkeys(name for one in private for name in one.classes))
    if recipe.classes is None and len(private) < recipe.size:
        return classes  # What those would have named whose data cannot be read is not known.
    for number, one in enumerate(private):
        strange = unknown_classes(one, classes)
        if strange:
            problem = f"has the class {strange[0]}, which is missing in federation.classes"
            findings.problem(f"participants.{number}.data", problem)
    for place, (where, part) in zip(common.parts, common.of_parts(), strict=True) if common else ():
        strange = unknown_classes(part, classes)
        if strange and where != "public":
            missing = "is missing in federation.classes" if recipe.classes else "no participant's data has"
            known = ", ".join(classes[:10])
            problem = f"{where} has the class {strange[0]}, which {missing}; known: {known}"
            findings.problem(place, problem)
    return classes


def _one_shape(private: Sequence[Labelled | None], common: CommonSplits, findings: Findings) -> bool:
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


def _disjoint(
    recipe: ExternalFederation, private: Sequence[Labelled], common: CommonSplits, findings: Findings
) -> CommonSplits:
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
        kept[where] = Labelled(copy_rows(part.images, rest), part.labels[rest], part.classes) if bad else part
        for key in _keys(part.images):
            seen.setdefault(key, f"in {where}")
    return CommonSplits(**kept, places=common.places)


def _keys(images: NDArray[np.generic]) -> list[bytes]:
    from hashlib import blake2b

    return [blake2b(one.tobytes(), digest_size=16).digest() for piece in pieces(images) for one in piece]


def _enough(
    private: Sequence[Labelled], common: CommonSplits, classes: tuple[str, ...], findings: Findings
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


def _joined(
    private: Sequence[Labelled], common: CommonSplits, classes: tuple[str, ...]
) -> tuple[Dataset, Layout]:
    """All images in one array, and who has which."""
    parts = [*private, *(part for _, part in common.of_parts())]
    exact = all(one.images.dtype == np.uint8 for one in parts)
    images = concatenate([one.images if exact else _floats(one.images) for one in parts])
    labels = np.concatenate([renumbered(one, classes) for one in parts])
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
        std=(scale_of(images),) * channels,
    )
    return data, Layout(splits=common.splits(named), public=named["public"], private=tuple(own))


def _floats(images: NDArray[np.generic]) -> NDArray[np.float32]:
    """As torchvision's ToTensor makes them of bytes."""
    pixels = torch.from_numpy(np.asarray(images))
    floats: NDArray[np.float32] = (pixels if images.dtype == np.float32 else pixels.float().div(255)).numpy()
    return floats
