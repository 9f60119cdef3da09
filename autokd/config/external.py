"""Models and data that autokd did not make: where their files are, and what their inputs and outputs mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, ClassVar, Final, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from autokd.config.base import FileBacked, Frozen, Name, Option
from autokd.config.mistakes import CODE, NETWORK, PATH
from autokd.config.numbers import Number, Whole, whole
from autokd.core.class_names import class_name, class_names
from autokd.core.participant_names import ParticipantNames, participant_name, same_name

FilePath = Annotated[str, Field(min_length=1, max_length=4096, pattern=PATH)]
Code = Annotated[str, Field(pattern=CODE, max_length=255)]
"""`package.module:factory`. It is imported and called: code that the recipe's author vouches for."""
NetworkName = Annotated[str, Field(pattern=NETWORK, max_length=255)]
Label = Annotated[str, BeforeValidator(class_name)]
ParticipantName = Annotated[str, BeforeValidator(participant_name)]
UNTRAINED: Final = "none"
"""A checkpoint that is none: a student that starts from its network's own initialisation."""


def _names(written: object) -> object:
    """Return a list of class names in their one form; what is no list is left to pydantic."""
    return class_names(written) if isinstance(written, list | tuple) else written


Names = Annotated[tuple[str, ...], BeforeValidator(_names)]


def _paths(written: object) -> object:
    """Return a list of paths as a tuple.

    Raises:
        ValueError: If it is neither a path nor a list of paths.
    """
    if isinstance(written, list | tuple):
        written = tuple(written)
    each = written if isinstance(written, tuple) else (written,)
    if not each or not all(isinstance(one, str) and 0 < len(one) <= 4096 and "\0" not in one for one in each):
        raise ValueError("must be a path, or a list of paths")
    return written


FilePaths = Annotated[str | tuple[str, ...], BeforeValidator(_paths)]


Means = Annotated[tuple[Number, ...], Field(min_length=1)]
Deviations = Annotated[tuple[Annotated[Number, Field(gt=0)], ...], Field(min_length=1)]


class Normalisation(Frozen):
    """What pixels in [0, 1] were normalised with; one number, or one per channel."""

    mean: Means = (0.0,)
    std: Deviations = (1.0,)


class Source(Frozen):
    """Labelled images; the fields that all kinds of sources share.

    Attributes:
        start, stop, step: The examples to use, in the source's own order; all by default.
        indices: A file with the numbers of the examples instead: `.npy`, or text with one number a line.
        classes: Class names by the source's label number; by default the source's own names.
        bits: Depth of pixels that are no bytes: a pixel p means p / (2^bits - 1).
        orientation: Whether photos are turned as their EXIF data say, as `datasets` does, or left as they are
            stored, as torchvision's `ImageFolder` leaves them.
        normalised: What the stored numbers were normalised with, which is undone: number x std + mean is a
            pixel in [0, 1].
    """

    omit_if_default: ClassVar[frozenset[str]] = frozenset({"bits", "orientation", "normalised"})
    start: Whole = Field(default=0, ge=0)
    stop: Whole | None = Field(default=None, ge=1)
    step: Whole = Field(default=1, ge=1)
    indices: FilePath | None = None
    classes: Annotated[Names, Field(min_length=1)] | None = None
    bits: Whole | None = Field(default=None, ge=1, le=32)
    orientation: Literal["exif", "stored"] = "exif"
    normalised: Normalisation | None = None

    @model_validator(mode="after")
    def _one_way_to_choose(self) -> Source:
        if self.bits is not None and self.normalised is not None:
            raise ValueError("give either bits or normalised: both say what a number means")
        if self.indices is not None and (self.start, self.stop, self.step) != (0, None, 1):
            raise ValueError("give either indices or start, stop and step, not both")
        return self


class TorchvisionSource(Source):
    """A torchvision data set, from its own files or from image folders `train` and `test` in `root`."""

    kind: Literal["torchvision"]
    dataset: Literal["CIFAR10", "CIFAR100", "MNIST", "FashionMNIST", "SVHN"]
    root: FilePath
    train: bool = True
    download: bool = False


class FolderSource(Source):
    """A folder of images with one subfolder per class, as torchvision's `ImageFolder` reads it."""

    kind: Literal["folder"]
    path: FilePath


class NpzSource(Source):
    """A NumPy archive: images (n, height, width[, channels]) or (n, channels, height, width), and labels."""

    kind: Literal["npz"]
    path: FilePath
    images: str = "images"
    labels: str = "labels"


class ParquetSource(Source):
    """A data set of Hugging Face: a column of structs with encoded images in `bytes`, and labels.

    Attributes:
        path: A Parquet file, a pattern or a list of files, a folder of files, or one of `save_to_disk`.
        image, label: Names of the columns; if there are none of these names, the only ones of their kind.
    """

    kind: Literal["parquet"]
    path: FilePaths
    image: str = "image"
    label: str = "label"


class CodeSource(Source):
    """A `torch.utils.data.Dataset` of (image, label), made by a function or class that the recipe names."""

    kind: Literal["code"]
    factory: Code
    options: dict[str, Option] = Field(default_factory=dict)


class MemorySource(Source):
    """Images that a program passed in memory; they are identified by their content and not read again."""

    kind: Literal["memory"]
    sha256: str


AnySource = Annotated[
    TorchvisionSource | FolderSource | NpzSource | ParquetSource | CodeSource | MemorySource,
    Field(discriminator="kind"),
]


Pixels = Annotated[Whole, Field(ge=1, le=4096)]
Margin = Annotated[Whole, Field(ge=0, le=4096)]
Interpolation = Literal["nearest", "bilinear", "bicubic", "box", "hamming", "lanczos"]


class Network(Frozen):
    """The network of a participant.

    Attributes:
        name: `cnn`, `mlp`, the name of a torchvision model, or `package.module:factory`.
        options: Options of the network; torchvision's ResNets also take `stem: cifar`.
    """

    name: NetworkName
    options: dict[str, Option] = Field(default_factory=dict)


class ImageShape(Frozen):
    """The shape that images are converted to; by default they keep their own.

    Attributes:
        channels: 3 repeats grey images, 1 converts to grey.
        size: Height and width that images are scaled to, whatever their shape was.
        pad, resize, max_size, crop: As torchvision's `Pad` (with zeros), `Resize` (a number is the shorter
            side) and `CenterCrop`, done in this order when images are read; numbers in pixels.
        interpolation: Of `resize` and `size`.
    """

    omit_if_default: ClassVar[frozenset[str]] = frozenset(
        {"pad", "resize", "max_size", "crop", "interpolation"}
    )
    channels: Annotated[Literal[1, 3], BeforeValidator(whole)] | None = None
    size: Whole | None = Field(default=None, ge=1, le=4096)
    pad: tuple[Margin, ...] | None = None
    resize: Annotated[tuple[Pixels, ...], Field(max_length=2)] | None = None
    max_size: Pixels | None = None
    crop: Annotated[tuple[Pixels, ...], Field(max_length=2)] | None = None
    interpolation: Interpolation = "bilinear"

    @field_validator("pad")
    @classmethod
    def _sides(cls, pad: tuple[int, ...] | None) -> tuple[int, ...] | None:
        if pad is not None and len(pad) not in (1, 2, 4):
            raise ValueError(
                "pad is one number, (left and right, top and bottom), or left, top, right, bottom"
            )
        return pad

    @property
    def steps(self) -> dict[str, object]:
        """What is said of padding, scaling and cropping beside `size`, by field."""
        fields = {name: getattr(self, name) for name in sorted(self.omit_if_default)}
        return {
            name: value for name, value in fields.items() if value != type(self).model_fields[name].default
        }

    @model_validator(mode="after")
    def _one_way_to_scale(self) -> ImageShape:
        if self.max_size is not None and (self.resize is None or len(self.resize) != 1):
            raise ValueError(
                "max_size limits the longer side, so resize must be one number, the shorter side"
            )
        if self.max_size is not None and self.resize is not None and self.max_size <= self.resize[0]:
            raise ValueError("max_size must be larger than resize")
        return self


class Input(ImageShape):
    """The input that a network was trained on.

    Its `pad`, `resize` and `crop` are done when images are read, so all participants share them.

    Attributes:
        mean, std: Normalisation of pixels in [0, 1] (as torchvision's `ToTensor` makes them); one number, or
            one per channel.
    """

    mean: Means = (0.0,)
    std: Deviations = (1.0,)

    @model_validator(mode="after")
    def _scaled_by_the_network(self) -> Input:
        if self.interpolation != "bilinear" and (self.size is not None or self.resize is None):
            raise ValueError("interpolation goes with resize; size is always bilinear")
        return self


def _numbered(labels: object) -> object:
    return dict(enumerate(labels)) if isinstance(labels, list | tuple) else labels


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
    architecture: Network
    checkpoint: FilePath
    weights: str | None = Field(default=None, min_length=1)
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
        duplicates: Whether images that are also private data, or in another split, are refused or dropped: a
            student must not be judged on examples that it was trained on.
    """

    duplicates: Literal["refuse", "drop"] = "refuse"


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
    participants: tuple[ExternalParticipant, ...] = Field(min_length=2, max_length=1000)
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
        participants = (one.model_copy(update={"name": None}) for one in self.participants)
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
    if "participants" not in fields:  # Perhaps it is misspelt: what else is there decides.
        return not fields.keys() & {"dataset", "partition", "architectures", "pretraining"}
    return isinstance(fields["participants"], list | tuple)
