"""Members: trained models with their data in a program's memory, and what is checked of them first."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import ValidationError
from torch import nn

from autokd.config.external import ExternalFederation
from autokd.config.mistakes import problems_of
from autokd.core.arguments import choice, constructed, instance, text
from autokd.core.class_names import class_names
from autokd.errors import ArgumentError, PlanError
from autokd.text.quoting import quoted

Examples = Any
"""A `torch.utils.data.Dataset` of (image, label), or a pair of arrays: images and labels."""


@constructed
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Member:
    """A trained model with its private data.

    Attributes:
        model: Model in any mode and precision, on any device, also in DataParallel or compiled; it is not
            changed.
        data: Its training data: a data set of (image, label), or two arrays. Images are bytes, or floats as
            `ToTensor` makes them, not normalised. With `values="tensor"` inputs are numbers of any shape.
        architecture: Network that workers build: a name of torchvision's, `cnn`, `mlp`, or
            `module:factory` as this program would import it; by default the model's own class.
        options: Options of the architecture, or arguments of the factory.
        mean, std: Normalisation of pixels in [0, 1]; one number, or one for each channel. For tensors, of
            their numbers: one, or one for each entry of the first axis.
        channels, size: Input of the model, if images have another format.
        labels: Class of each output, by default in the order of `classes`.
        name: What commands and tables call the participant beside its number.
    """

    model: nn.Module
    data: Examples
    architecture: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    mean: float | Sequence[float] = (0.0,)
    std: float | Sequence[float] = (1.0,)
    channels: Literal[1, 3] | None = None
    size: int | None = None
    labels: Sequence[str] | Mapping[int, str] | None = None
    name: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.model, nn.Module):
            raise ArgumentError("model", f"must be a torch.nn.Module, not {quoted(self.model)}")
        if self.architecture is not None:
            text("architecture", self.architecture)
        if not isinstance(self.options, Mapping):
            raise ArgumentError(
                "options", f"must be a mapping of names to values, not {quoted(self.options)}"
            )


def as_members(name: str, value: object) -> list[Member]:
    """Return the members as a list."""
    listed = list(value) if isinstance(value, Iterable) else []
    if not listed:
        raise ArgumentError(name, f"must list at least two autokd.Member, not {quoted(value)}")
    return [instance("Member")(f"{name}[{number}]", member) for number, member in enumerate(listed)]


def as_classes(name: str, value: object) -> tuple[str, ...]:
    """Return class names in their one form."""
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise ArgumentError(name, f"must list class names, not {quoted(value)}")
    try:
        return class_names(value)
    except ValueError as error:
        raise ArgumentError(name, str(error)) from None


def as_values(name: str, value: object) -> str:
    """Return what inputs are: `images` or `tensor`."""
    return choice(name, value, ("images", "tensor"))


def as_recipe(content: dict[str, Any]) -> ExternalFederation:
    """Return the recipe of members and splits.

    Raises:
        PlanError: If a field does not hold; it names the argument.
    """
    try:
        return ExternalFederation.model_validate(content)
    except ValidationError as error:
        problems = problems_of(error, content, source="federation_from_models", model=ExternalFederation)
    named = (
        PlanError(source=problem.source, field=argument(problem.field), problem=problem.problem)
        for problem in problems.all
    )
    raise PlanError.together(list(named))


def argument(field: str) -> str:
    """Return the argument that a field of the recipe is made of, e.g. `members.0.mean`."""
    field = re.sub(r"^splits\.(?=validation|confirmation|test|public)", "", field)
    field = re.sub(r"^participants\b", "members", field)
    field = re.sub(r"^(members\.\d+\.)checkpoint\b", r"\1model", field)
    return re.sub(r"^(members\.\d+\.)(?:input\.|architecture\.(?=options))", r"\1", field)
