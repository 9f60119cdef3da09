"""How a federation is made: data set, partition, common splits, networks and pre-training."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Discriminator, Field, PrivateAttr, Tag, model_validator

from autokd.config.base import FileBacked, Frozen, Name, Option
from autokd.config.external import ExternalFederation, NetworkName, is_external
from autokd.config.images import Input
from autokd.config.numbers import Number, Whole
from autokd.config.sources import AnySource
from autokd.config.training import PretrainingConfig
from autokd.core.own_code import OwnCode
from autokd.core.participant_names import ParticipantNames


class DirichletPartition(Frozen):
    """Label skew: each class is divided among the participants by Dirichlet(beta) shares."""

    scheme: Literal["dirichlet"]
    beta: Number = Field(gt=0)
    minimum: Whole = Field(
        default=10, ge=2, description="Minimum number of private examples per participant."
    )


class EqualDirichletPartition(Frozen):
    """Label skew at equal sizes: each participant's class shares are drawn from Dirichlet(beta)."""

    scheme: Literal["dirichlet_equal"]
    beta: Number = Field(gt=0)
    examples: Whole = Field(ge=2, description="Number of private examples per participant.")


class ClassesPartition(Frozen):
    """Each participant holds examples of a fixed number of classes only."""

    scheme: Literal["classes"]
    per_participant: Whole = Field(ge=1)


class QuantityPartition(Frozen):
    """Equal label distributions and different sizes, which are drawn from Dirichlet(beta)."""

    scheme: Literal["quantity"]
    beta: Number = Field(gt=0)
    minimum: Whole = Field(
        default=10, ge=2, description="Minimum number of private examples per participant."
    )


class IidPartition(Frozen):
    """Equal random parts."""

    scheme: Literal["iid"]


PartitionConfig = Annotated[
    DirichletPartition | EqualDirichletPartition | ClassesPartition | QuantityPartition | IidPartition,
    Field(discriminator="scheme"),
]


class SplitSizes(Frozen):
    """Number of examples in each common split; the remaining examples are private."""

    validation: Whole = Field(ge=1)
    confirmation: Whole = Field(ge=1)
    test: Whole = Field(ge=1)
    public: Whole = Field(ge=0)


class ArchitectureConfig(Frozen):
    """A network by name, with its options."""

    name: Name
    options: dict[str, Option] = Field(default_factory=dict)


class ExternalArchitecture(FileBacked, ArchitectureConfig):
    """A network that was trained elsewhere, and how its input and outputs relate to the federation's.

    Attributes:
        outputs: Number of the network's outputs.
        labels: For each class of the federation, the output that means it; -1 if the network has none.
        input: The input that the network was trained on.
    """

    name: NetworkName
    outputs: Whole = Field(ge=1)
    labels: tuple[Whole, ...]
    input: Input = Input()

    _code: OwnCode | None = PrivateAttr(default=None)

    @property
    def code(self) -> OwnCode | None:
        """Sources that its name means, if it names code and they were read; they go to workers with it."""
        return self._code

    def with_code(self, code: OwnCode | None) -> Self:
        """Return the same network with its sources."""
        copy = self.model_copy()
        copy._code = code
        return copy


DatasetConfig = Annotated[
    Annotated[Name, Tag("name")] | Annotated[AnySource, Tag("source")],
    Discriminator(lambda value: "name" if isinstance(value, str) else "source"),
]
"""A built-in data set by name, or a source of images."""


class FederationConfig(FileBacked):
    """A federation that autokd makes."""

    name: Name
    dataset: DatasetConfig
    participants: Whole = Field(ge=2, le=1000)
    partition: PartitionConfig
    splits: SplitSizes
    architectures: tuple[ArchitectureConfig, ...] = Field(
        min_length=1, description="One for all participants, or one per participant."
    )
    pretraining: PretrainingConfig
    seed: Whole = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _one_or_each(self) -> FederationConfig:
        if len(self.architectures) not in (1, self.participants):
            raise ValueError(
                f"architectures lists {len(self.architectures)}; give 1 for all or {self.participants}"
            )
        if self.pretraining.augmentation != "none" and getattr(self.dataset, "is_tensor", False):
            raise ValueError("pretraining.augmentation is for images, and dataset says values: tensor")
        return self

    @property
    def size(self) -> int:
        """Number of participants."""
        return self.participants

    @property
    def names(self) -> ParticipantNames:
        """Names of the participants, which have numbers only."""
        return ParticipantNames(count=self.size)

    @property
    def untrained(self) -> frozenset[int]:
        """None: all are pre-trained."""
        return frozenset()

    def without_names(self) -> FederationConfig:
        """Return the federation itself; see `ExternalFederation.without_names`."""
        return self

    @property
    def described_data(self) -> str:
        """Name of the data in tables."""
        return self.dataset if isinstance(self.dataset, str) else self.name

    @property
    def has_public(self) -> bool:
        """Whether there are enough public examples to train on."""
        return self.splits.public >= 2

    def architecture(self, participant: int) -> ArchitectureConfig:
        """Return the architecture of one participant."""
        return self.architectures[0 if len(self.architectures) == 1 else participant]


AnyFederation = Annotated[
    Annotated[FederationConfig, Tag("FederationConfig")]
    | Annotated[ExternalFederation, Tag("ExternalFederation")],
    Discriminator(lambda value: "ExternalFederation" if is_external(value) else "FederationConfig"),
]
"""A federation that autokd makes, or one whose participants were trained elsewhere."""
