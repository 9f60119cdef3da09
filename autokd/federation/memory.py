"""Federations of models and data that a program has in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from autokd.compute.device import Compute
from autokd.config.external import (
    ExternalFederation,
    ExternalParticipant,
    Input,
    MemorySource,
    Network,
    SeparateSplits,
    Source,
)
from autokd.data.sources.factory import read_dataset
from autokd.data.sources.labelled_images import Labelled, Wanted, as_images, as_labels, named
from autokd.errors import InputError
from autokd.federation._federation import Federation
from autokd.federation.content import digest
from autokd.federation.gathering import gathered
from autokd.federation.kept import Memory
from autokd.federation.preparation import Checked, prepare

Examples = Any
"""A `torch.utils.data.Dataset` of (image, label), or a pair of arrays: images and labels."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Member:
    """A trained model with its private data.

    Attributes:
        model: In any mode, on any device; it is not changed.
        data: What it was trained on: a data set of (image, label), or two arrays. Images are bytes, or floats
            as `ToTensor` makes them, and not normalised yet.
        architecture: How workers build the network again: a name of torchvision's, `cnn`, `mlp`, or
            `package.module:factory`; by default the model's own class.
        options: Of the architecture, or arguments of the factory.
        mean, std: What images are normalised with, of pixels in [0, 1].
        channels, size: What the model takes, where images are otherwise.
        labels: The class that each output means, by default in the order of `classes`.
    """

    model: nn.Module
    data: Examples
    architecture: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    mean: Sequence[float] = (0.0,)
    std: Sequence[float] = (1.0,)
    channels: int | None = None
    size: int | None = None
    labels: Sequence[str] | Mapping[int, str] | None = None


def from_models(
    name: str,
    members: Sequence[Member],
    *,
    splits: Mapping[str, Examples],
    classes: Sequence[str] | None,
    home: Path,
    compute: Compute,
) -> Federation:
    """See `Federation.from_models`."""
    memory = Memory()
    parts = {f"splits.{part}": examples for part, examples in splits.items()}
    parts |= {f"participants.{number}.data": one.data for number, one in enumerate(members)}
    sources = {where: _keep(memory, examples, where, classes) for where, examples in parts.items()}
    recipe = ExternalFederation(
        name=name,
        participants=tuple(
            ExternalParticipant(
                architecture=Network(name=_architecture(one, number), options=dict(one.options)),
                checkpoint=memory.keep_weights(one.model),
                data=sources[f"participants.{number}.data"],
                input=_input(one),
                labels=one.labels,
            )
            for number, one in enumerate(members)
        ),
        splits=SeparateSplits.model_validate(
            {"kind": "separate"} | {part: sources[f"splits.{part}"] for part in splits}
        ),
        classes=None if classes is None else tuple(classes),
    )
    checked = Checked.of(gathered(recipe, compute, source=name, memory=memory))
    return prepare(recipe, home=home, compute=compute, checked=checked)


def _input(member: Member) -> Input:
    given = {"mean": member.mean, "std": member.std, "channels": member.channels, "size": member.size}
    return Input.model_validate(
        {name: tuple(value) if isinstance(value, Sequence) else value for name, value in given.items()}
    )


def _keep(memory: Memory, examples: Examples, where: str, classes: Sequence[str] | None) -> MemorySource:
    own = None if classes is None else tuple(classes)
    if isinstance(examples, tuple | list) and len(examples) == 2 and np.ndim(examples[0]) > 1:
        images = as_images(np.asarray(examples[0]), source=where, field="images")
        labels = as_labels(np.asarray(examples[1]), source=where, field="labels", count=len(images))
        found = Labelled(images=images, labels=labels, classes=named(labels, own, None))
    else:
        found = read_dataset(examples, Source(classes=own), Path(), Wanted(), name=where)
    key = hashlib.sha256(digest({"images": found.images, "labels": found.labels}).encode())
    key.update(repr(found.classes).encode())
    memory.data[key.hexdigest()] = found
    return MemorySource(kind="memory", sha256=key.hexdigest())


def _architecture(member: Member, number: int) -> str:
    if member.architecture is not None:
        return member.architecture
    kind = type(member.model)
    if kind.__module__ == "__main__" or "<" in kind.__qualname__:
        raise InputError(
            f"member {number}: workers cannot import {kind.__qualname__}; put it into a module, or say "
            "architecture='package.module:factory'"
        )
    return f"{kind.__module__}:{kind.__qualname__}"
