"""Participants and splits that autokd did not make: where their files are, and what outputs mean."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from autokd.config.base import FileBacked, Frozen, Name, Option
from autokd.config.images import ImageShape, Input
from autokd.config.mistakes import NETWORK
from autokd.config.numbers import Number, Whole
from autokd.config.sources import AnySource, FilePath, Names, Source
from autokd.core.class_names import class_name, class_names
from autokd.core.participant_names import ParticipantNames, participant_name, same_name

NetworkName = Annotated[str, Field(pattern=NETWORK, max_length=255)]
Label = Annotated[str, BeforeValidator(class_name)]
ParticipantName = Annotated[str, BeforeValidator(participant_name)]
UNTRAINED: Final = "none"
"""A checkpoint that is none: a student that starts from its network's own initialisation."""


class Network(Frozen):
    """The network of a participant.

    Attributes:
        name: `cnn`, `mlp`, the name of a torchvision model, or `package.module:factory`.
        options: Options of the network; torchvision's ResNets also take `stem: cifar`.
    """

    name: NetworkName
    options: dict[str, Option] = Field(default_factory=dict)


def _numbered(labels: object) -> object:
    return dict(enumerate(labels)) if isinstance(labels, list | tuple) else labels


def _network(written: object) -> object:
    """Return a network without options as its fields: its name alone says all."""
    return {"name": written} if isinstance(written, str) else written


def _checkpoint(written: object) -> object:
    """Return what is written of a checkpoint, `none` in any spelling of the word.

    Raises:
        ValueError: If nothing is written, which may have been forgotten.
    """
    if written is None:
        raise ValueError(f"names no file; say {UNTRAINED} for a student that is not trained yet")
    return UNTRAINED if isinstance(written, str) and written.lower() == UNTRAINED else written


def _key(written: object) -> object:
    """Return a key of a checkpoint as text: an epoch, or a place in a list, may be written as a number."""
    return str(written) if type(written) is int else written


class ExternalParticipant(Frozen):
    """A model that was trained elsewhere.

    Attributes:
        name: What commands and tables call it beside its number. It is no part of the federation's content:
            participants are named and renamed without losing results.
        checkpoint: File with its state dict: of safetensors, `torch.save` or `numpy.savez`, as any script
            saved it (`autokd.models.matching`). `none` for a student that is not trained yet: each run
            starts from initial weights of its own, and it teaches nobody.
        weights: Which state dict of the file, if several fit, e.g. `state_dict_ema`; by default the only one.
        data: Its private examples, on which it was trained.
        held_out: Labelled examples that it was not trained on and contributes to the common splits.
        labels: The class that each output of the network means: a list, or a mapping from output number to
            class that may leave out outputs; by default the classes of `data`.
        claimed_accuracy: Accuracy on `data` in [0, 1] that the model's owner measured.
    """

    omit_if_default = frozenset({"name", "weights"})

    name: ParticipantName | None = None
    architecture: Annotated[Network, BeforeValidator(_network)]
    checkpoint: Annotated[FilePath, BeforeValidator(_checkpoint)]
    weights: Annotated[str, BeforeValidator(_key)] | None = Field(default=None, min_length=1)
    data: AnySource
    held_out: AnySource | None = None
    input: Input = Input()
    labels: Annotated[dict[Whole, Label], BeforeValidator(_numbered)] | None = Field(
        default=None, min_length=1
    )
    claimed_accuracy: Number | None = Field(default=None, ge=0, le=1)

    @property
    def is_untrained(self) -> bool:
        """Whether it starts from its network's own initialisation."""
        return self.checkpoint == UNTRAINED

    @model_validator(mode="after")
    def _nothing_is_known_of_the_untrained(self) -> ExternalParticipant:
        for field in ("weights", "claimed_accuracy"):
            if self.is_untrained and getattr(self, field) is not None:
                raise ValueError(f"checkpoint is none, so there is no {field}; leave it out")
        return self

    @field_validator("labels")
    @classmethod
    def _outputs(cls, labels: dict[int, str] | None) -> dict[int, str] | None:
        if labels and min(labels) < 0:
            raise ValueError(f"output {min(labels)} does not exist; outputs are numbered from 0")
        class_names((labels or {}).values())
        return labels


class _Splits(Frozen):
    """The fields that all ways to make the common splits share.

    Attributes:
        duplicates: Whether examples that are also private data, or in another split, are refused or dropped:
            a student must not be judged on examples that it was trained on. `keep` is for tensors of few
            numbers, where different cases may be equal.
    """

    duplicates: Literal["refuse", "drop", "keep"] = "refuse"


class SharedSplits(_Splits):
    """Common splits drawn at random from one benchmark, each with the class shares of the whole."""

    kind: Literal["shared"]
    data: AnySource
    validation: Whole = Field(ge=1)
    confirmation: Whole = Field(ge=1)
    test: Whole = Field(ge=1)
    public: Whole = Field(default=0, ge=0)


class SeparateSplits(_Splits):
    """Common splits with a source each."""

    kind: Literal["separate"]
    validation: AnySource
    confirmation: AnySource
    test: AnySource
    public: AnySource | None = None


class HeldOutSplits(_Splits):
    """Common splits made from the participants' `held_out` examples, in these proportions."""

    kind: Literal["held_out"]
    validation: Number = Field(default=0.25, gt=0)
    confirmation: Number = Field(default=0.4, gt=0)
    test: Number = Field(default=0.25, gt=0)
    public: Number = Field(default=0.1, ge=0)


ExternalSplits = Annotated[SharedSplits | SeparateSplits | HeldOutSplits, Field(discriminator="kind")]


def _as_list(written: object) -> object:
    """Refuse participants that are written by their names, in one message.

    Raises:
        ValueError: If they are.
    """
    (first, *more) = [*written, None] if isinstance(written, list | tuple) else [written]
    by_name = isinstance(first, Mapping) and not first.keys() & ExternalParticipant.model_fields.keys()
    if by_name and not any(more):
        raise ValueError("must be a list: each begins with '- ', and its field name says what it is called")
    return written


class ExternalFederation(FileBacked):
    """Participants that were trained elsewhere, and the common splits that they are judged on.

    Attributes:
        name: First part of the federation's name; a content hash follows.
        images: The shape that all images are converted to when they are read; without it they must agree.
        classes: The common label space, in this order; by default in the order in which the participants'
            data name the classes.
        seed: Seed of the random splits.
    """

    name: Name
    participants: Annotated[tuple[ExternalParticipant, ...], BeforeValidator(_as_list)] = Field(
        min_length=2, max_length=1000
    )
    splits: ExternalSplits
    images: ImageShape = ImageShape()
    classes: Annotated[Names, Field(min_length=2)] | None = None
    seed: Whole = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _somebody_holds_out(self) -> ExternalFederation:
        if isinstance(self.splits, HeldOutSplits):
            for number, participant in enumerate(self.participants):
                if participant.held_out is None:
                    raise ValueError(f"splits are held_out, so participants.{number} needs held_out, too")
        return self

    @model_validator(mode="after")
    def _names_differ(self) -> ExternalFederation:
        same = same_name([participant.name for participant in self.participants])
        if same is not None:
            first, second = same
            name = self.participants[second].name
            raise ValueError(f"participants.{first} and participants.{second} are both called {name!r}")
        return self

    @model_validator(mode="after")
    def _one_kind_of_inputs(self) -> ExternalFederation:
        named = list(self.sources())
        first, kind = named[0][0], named[0][1].is_tensor
        for field, source in named:
            if source.is_tensor != kind:
                images, tensors = (first, field) if source.is_tensor else (field, first)
                raise ValueError(
                    f"{tensors} says values: tensor, and {images} is of images; all sources of a federation "
                    "hold inputs of one kind"
                )
        if not kind:
            if self.splits.duplicates == "keep":
                raise ValueError("duplicates: keep is for values: tensor; equal images are the same example")
            return self
        if self.images != ImageShape():
            raise ValueError("images is for images, and the sources say values: tensor; leave it out")
        for number, participant in enumerate(self.participants):
            said = participant.input.model_dump(exclude_defaults=True).keys() - {"mean", "std"}
            if said:
                raise ValueError(
                    f"participants.{number}.input.{min(said)} is for images, and the sources say "
                    "values: tensor; leave it out"
                )
        return self

    def sources(self) -> Iterator[tuple[str, AnySource]]:
        """Yield all sources of examples, with their fields."""
        for number, participant in enumerate(self.participants):
            yield f"participants.{number}.data", participant.data
            if participant.held_out is not None:
                yield f"participants.{number}.held_out", participant.held_out
        for name in ("data", "validation", "confirmation", "test", "public"):
            source = getattr(self.splits, name, None)
            if isinstance(source, Source):
                yield f"splits.{name}", source  # type: ignore[misc]

    @property
    def size(self) -> int:
        """Number of participants."""
        return len(self.participants)

    @model_validator(mode="after")
    def _somebody_can_teach(self) -> ExternalFederation:
        if all(participant.is_untrained for participant in self.participants):
            raise ValueError("no participant has a checkpoint, so nobody can teach")
        return self

    @property
    def names(self) -> ParticipantNames:
        """Names of the participants, and who only learns."""
        named = ParticipantNames.of([participant.name for participant in self.participants])
        return replace(named, untrained=self.untrained)

    @property
    def untrained(self) -> frozenset[int]:
        """Participants that start from their networks' own initialisation, and only learn."""
        return frozenset(n for n, participant in enumerate(self.participants) if participant.is_untrained)

    def without_names(self) -> ExternalFederation:
        """Return the same federation with numbers only: its content, which does not depend on names."""
        if not self.names:
            return self
        participants = (participant.model_copy(update={"name": None}) for participant in self.participants)
        return self.model_copy(update={"participants": tuple(participants)})

    @property
    def has_public(self) -> bool:
        """Whether there are public examples to train on."""
        public = self.splits.public
        return public is not None and (isinstance(public, Source) or public > 0)

    @property
    def described_data(self) -> str:
        """Name of the data in tables."""
        return self.name


def is_external(content: object) -> bool:
    """Return whether a federation's fields are those of `ExternalFederation`: its participants are a list."""
    fields = content if isinstance(content, Mapping) else getattr(content, "__dict__", {})
    if isinstance(fields.get("participants", {}), Mapping):
        # Misspelt, or written as no list: what else is there decides.
        return not fields.keys() & {"dataset", "partition", "architectures", "pretraining"}
    return isinstance(fields["participants"], list | tuple)
