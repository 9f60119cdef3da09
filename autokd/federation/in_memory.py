"""Federations of models and data that are in memory."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, Literal

import numpy as np
import torch
from torch import nn

from autokd.compute.device import Compute
from autokd.config.confirmation import ConfirmationConfig
from autokd.config.defaults import EFFECT, usual_home
from autokd.config.images import ImageShape
from autokd.config.sources import AnyInput, MemorySource
from autokd.core.arguments import text
from autokd.core.class_names import class_names
from autokd.core.finding import Finding, tell
from autokd.core.own_imports import PREFIX
from autokd.core.public_calls import checked
from autokd.core.setting import Split
from autokd.data.sources.factory import read_dataset
from autokd.data.sources.labelled_images import (
    AnyInputs,
    LabelledImages,
    as_images,
    as_labels,
    labelled,
    named_labels,
    unlabelled,
)
from autokd.data.sources.tensors import as_tensors
from autokd.errors import ArgumentError, InputError, PlanError
from autokd.federation.external import Checked, load_external_or_raise
from autokd.federation.external_models import InMemorySources, ValidatedModel
from autokd.federation.federation import Federation
from autokd.federation.hashing import data_arrays, digest
from autokd.federation.members import Examples, Member, argument, as_classes, as_members, as_recipe, as_values
from autokd.federation.preparation import prepare
from autokd.models.adapter import Adapted
from autokd.models.building import build_for
from autokd.models.matching import unwrapped
from autokd.models.outputs import logits_in
from autokd.models.weights import load_weights
from autokd.statistics.detectable import too_few
from autokd.text.reasons import kind_and_words

_log = logging.getLogger(__name__)

_ASKED: Final = 8
"""Images for which the model and the network that workers build are compared."""


@checked(name=text, members=as_members, classes=as_classes, values=as_values)
def federation_from_models(
    name: str,
    members: Sequence[Member],
    *,
    validation: Examples,
    confirmation: Examples,
    test: Examples,
    public: Examples | None = None,
    classes: Sequence[str] | None = None,
    values: Literal["images", "tensor"] = "images",
    home: str | Path | None = None,
    compute: Compute | None = None,
) -> Federation:
    """Make a federation of models and data that are in memory, and store it under `home` like any other.

    Its `recipe` goes into a `StudyConfig`, which `tune` and `Workspace.open` take in place of a study.

    Args:
        name: First part of the federation's name.
        members: The participants, in the order of their numbers.
        validation: A data set of (image, label), or a pair of arrays; the next three are of the same kind.
        confirmation: Examples on which the verdict is decided.
        test: Examples that are only reported.
        public: Shared examples; images alone will do, since labels are not used.
        classes: Class names in the order of labels; by default what a data set says, or else the numbers.
        values: What the inputs of all examples are: images, or `"tensor"` for numbers of any shape, e.g.
            features, token ids or spectrograms, which networks get as they are.
        home: Directory as in `load_federation`.
        compute: Device on which the models are evaluated; by default the CPU.

    Raises:
        InputError: If anything is wrong that `autokd check` would report.

    >>> import autokd, numpy as np
    >>> from autokd.models.architectures import Cnn, Shape
    >>> models = [Cnn(widths=(4,)).build(Shape(channels=1, size=8, classes=2)) for _ in range(2)]
    >>> images = np.random.default_rng(0).integers(0, 256, (60, 8, 8), dtype=np.uint8)
    >>> parts = [(images[n : n + 12], np.arange(12) % 2) for n in range(0, 60, 12)]
    >>> members = [
    ...     autokd.Member(model=model, data=data, architecture="cnn", options={"widths": (4,)})
    ...     for model, data in zip(models, parts)
    ... ]
    >>> federation = autokd.federation_from_models(
    ...     "memory", members, validation=parts[2], confirmation=parts[3], test=parts[4]
    ... )
    >>> len(federation.participants), federation.data.classes
    (2, ('0', '1'))
    """
    if len(members) < 2:
        raise ArgumentError("members", "must list at least two autokd.Member")
    memory, compute = InMemorySources(), compute or Compute()
    members = [replace(member, model=unwrapped(member.model)) for member in members]
    common = {"validation": validation, "confirmation": confirmation, "test": test, "public": public}
    splits = {
        part: _keep(memory, examples, part, classes, values, labels_needed=part != "public")
        for part, examples in common.items()
        if examples is not None
    }
    recipe = as_recipe(
        {
            "name": name,
            "participants": [
                {
                    "name": member.name,
                    "architecture": {"name": _architecture(member, number), "options": dict(member.options)},
                    "checkpoint": memory.keep_weights(member.model),
                    "data": _keep(memory, member.data, f"members.{number}.data", classes, values),
                    "input": {
                        "mean": _listed(member.mean),
                        "std": _listed(member.std),
                        "channels": member.channels,
                        "size": member.size,
                    },
                    "labels": _listed(member.labels),
                }
                for number, member in enumerate(members)
            ],
            "splits": {"kind": "separate", **splits},
            "classes": classes,
        }
    )
    checked = load_external_or_raise(recipe, compute, source=name, memory=memory, field_of=argument)
    for number, (member, validated) in enumerate(zip(members, checked.models, strict=True)):
        _check_rebuilt(number, member.model, validated, checked)
    made = prepare(recipe, home=Path(home) if home else usual_home(), compute=compute, checked=checked)
    few = too_few(len(made.splits[Split.CONFIRMATION]), ConfirmationConfig().confidence, EFFECT)
    if few is not None:
        tell([Finding(name, "confirmation", few)], _log)
    return made


def _listed(values: object) -> object:
    """Return an array as the list, or the number, that it stands for."""
    return (
        np.asarray(values).tolist() if isinstance(values, np.ndarray | np.generic | torch.Tensor) else values
    )


def _keep(
    memory: InMemorySources,
    examples: Examples,
    where: str,
    classes: Sequence[str] | None,
    values: Literal["images", "tensor"],
    *,
    labels_needed: bool = True,
) -> MemorySource:
    own = None if classes is None else tuple(classes)
    if isinstance(examples, tuple | list) and len(examples) == 2 and np.ndim(examples[0]) > 1:
        images, labels = examples
    elif not labels_needed and isinstance(examples, np.ndarray | torch.Tensor):
        images, labels = examples, None
    else:
        source = _source(own, where, values)
        data = read_dataset(examples, source, Path(), ImageShape(), name=where, labels_needed=labels_needed)
        return _kept(memory, data, values)
    pixels: AnyInputs
    if values == "tensor":
        pixels = as_tensors(np.asarray(images), source=where, field="inputs")
    else:
        pixels = as_images(np.asarray(images), source=where, field="images")
    if labels is None and not labels_needed:
        return _kept(memory, unlabelled(pixels), values)
    names, written = None, np.asarray(labels)
    try:
        if written.dtype.kind in "US" and written.shape == (len(pixels),):
            numbers, names = named_labels(written.tolist(), own, source=where, field="labels")
        else:
            numbers = as_labels(written, source=where, field="labels", count=len(pixels))
    except InputError:
        if labels_needed:
            raise
        return _kept(memory, unlabelled(pixels), values)
    return _kept(memory, labelled(pixels, numbers, recipe=own, own=names, source=where), values)


def _source(classes: tuple[object, ...] | None, where: str, values: Literal["images", "tensor"]) -> AnyInput:
    try:
        return AnyInput(classes=None if classes is None else class_names(classes), values=values)
    except ValueError as error:
        raise PlanError(source=where, field="classes", problem=str(error)) from error


def _kept(memory: InMemorySources, data: LabelledImages, values: Literal["images", "tensor"]) -> MemorySource:
    data = replace(data, is_tensor=values == "tensor")
    key = hashlib.sha256(digest(data_arrays(data)).encode())
    key.update(repr(data.classes).encode())
    if data.is_tensor:
        key.update(b"tensor")
    memory.data[key.hexdigest()] = data
    return MemorySource(kind="memory", sha256=key.hexdigest(), values=values)


def _architecture(member: Member, number: int) -> str:
    if member.architecture is not None:
        return member.architecture
    kind = type(member.model)
    if kind.__module__.startswith(("__main__", PREFIX)) or "<" in kind.__qualname__:
        raise InputError(
            f"member {number}: workers cannot import {kind.__qualname__}; put it into a module, or say "
            "architecture='package.module:factory'"
        )
    return f"{kind.__module__}:{kind.__qualname__}"


def _check_rebuilt(number: int, model: nn.Module, validated: ValidatedModel, checked: Checked) -> None:
    """Check that the network that workers build answers as the model that was given; it stays as it is.

    Raises:
        InputError: If it does not.
    """
    rebuilt = build_for(checked.data, validated.architecture)
    load_weights(rebuilt, validated.weights)
    assert isinstance(rebuilt, Adapted)
    data, rows = checked.data, checked.layout.private[number][:_ASKED]
    pixels = Compute().pixels(
        torch.from_numpy(np.array(data.images[rows])),
        mean=torch.tensor(data.mean),
        std=torch.tensor(data.std),
    )
    modes = {module: module.training for module in model.modules()}
    first = next(model.parameters(), torch.empty(0))
    with torch.no_grad(), torch.random.fork_rng(devices=()):
        images = rebuilt.eval().network_input(pixels)
        built = logits_in(rebuilt.network(images))
        try:
            model.eval()
            asked = images.to(first) if images.is_floating_point() else images.to(first.device)
            first_answer, two = (logits_in(model(asked)).to(built) for _ in range(2))
        except Exception as error:
            raise InputError(
                f"member {number}: the model cannot be asked for its own data: {kind_and_words(error)}"
            ) from error
        finally:
            for module, mode in modes.items():
                module.training = mode
    if torch.equal(first_answer, two) and not torch.allclose(
        first_answer, built, rtol=0.02, atol=0.02 * float(first_answer.abs().max())
    ):
        raise InputError(
            f"member {number}: the network that workers build, {validated.architecture.name} with these "
            "options, answers otherwise than the model given, with the same weights; say how it was made: "
            "architecture='package.module:factory', options=..."
        )
