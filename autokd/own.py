"""What a recipe says of models and data that autokd did not make: their files, shapes and labels.

Paths are relative to the recipe's own folder. They are kept as written, and the folder beside them, so that a
recipe that is moved with its files stays the same recipe.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from autokd.frozen import Frozen, Located, Name, Option

FilePath = Annotated[str, Field(min_length=1, max_length=4096, pattern=r"^[^\x00]*$")]
Code = Annotated[str, Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_][\w.]*$", max_length=255)]
"""`package.module:factory`; it is imported and called, so it is code that the recipe's author vouches for."""
NetworkName = Annotated[str, Field(pattern=r"^[A-Za-z_][\w.]*(:[A-Za-z_][\w.]*)?$", max_length=255)]
Label = Annotated[str, Field(min_length=1, max_length=255)]


class Source(Frozen):
    """Labelled images somewhere; what all kinds have in common.

    Attributes:
        start, stop, step: Which examples, counted as the source has them; by default all.
        indices: A file with the numbers of the examples instead: `.npy`, or text with one a line.
        classes: What the source's labels mean, by number; by default what it says itself.
    """

    start: int = Field(default=0, ge=0)
    stop: int | None = Field(default=None, ge=1)
    step: int = Field(default=1, ge=1)
    indices: FilePath | None = None
    classes: tuple[Label, ...] | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _one_way_to_choose(self) -> Source:
        if self.indices is not None and (self.start, self.stop, self.step) != (0, None, 1):
            raise ValueError("give either indices or start, stop and step, not both")
        return self

    @field_validator("classes")
    @classmethod
    def _different(cls, classes: tuple[str, ...] | None) -> tuple[str, ...] | None:
        _once(classes, "class")
        return classes


class TorchvisionSource(Source):
    """A data set of torchvision's, from its own files; or image folders `train` and `test` below `root`."""

    kind: Literal["torchvision"]
    dataset: Literal["CIFAR10", "CIFAR100", "MNIST", "FashionMNIST", "SVHN"]
    root: FilePath
    train: bool = True
    download: bool = False


class FolderSource(Source):
    """A folder of images with one subfolder per class; files in the order of their names."""

    kind: Literal["folder"]
    path: FilePath


class NpzSource(Source):
    """A NumPy archive: images (n, height, width[, channels]) or (n, channels, height, width), and labels."""

    kind: Literal["npz"]
    path: FilePath
    images: str = "images"
    labels: str = "labels"


class ParquetSource(Source):
    """Parquet with encoded images, in Hugging Face's layout: a column of structs with `bytes`, and labels."""

    kind: Literal["parquet"]
    path: FilePath
    image: str = "image"
    label: str = "label"


class CodeSource(Source):
    """A `torch.utils.data.Dataset` of (image, label), made by a function or class that the recipe names."""

    kind: Literal["code"]
    factory: Code
    options: dict[str, Option] = Field(default_factory=dict)


class MemorySource(Source):
    """What a program had in memory when it made a federation; known by its content, and not read again."""

    kind: Literal["memory"]
    sha256: str


AnySource = Annotated[
    TorchvisionSource | FolderSource | NpzSource | ParquetSource | CodeSource | MemorySource,
    Field(discriminator="kind"),
]


class Network(Frozen):
    """A participant's network.

    Attributes:
        name: `cnn`, `mlp`, a model of torchvision's, or `package.module:factory`.
        options: Of the network; torchvision's ResNets also have `stem: cifar`.
    """

    name: NetworkName
    options: dict[str, Option] = Field(default_factory=dict)


class Input(Frozen):
    """What a network was trained to take.

    Attributes:
        mean, std: Subtracted from and divided by, one number or one a channel; of pixels in [0, 1], as
            torchvision's `ToTensor` makes them.
        channels: 3 repeats grey images, 1 makes colours grey; by default as the images are.
        size: Height and width to scale images to; by default as they are.
    """

    mean: tuple[float, ...] = Field(default=(0.0,), min_length=1)
    std: tuple[Annotated[float, Field(gt=0)], ...] = Field(default=(1.0,), min_length=1)
    channels: Literal[1, 3] | None = None
    size: int | None = Field(default=None, ge=1, le=4096)


def _numbered(labels: object) -> object:
    return dict(enumerate(labels)) if isinstance(labels, list | tuple) else labels


def _once(names: Sequence[str] | None, what: str) -> None:
    given = list(names or ())
    twice = sorted({name for name in given if given.count(name) > 1})
    if twice:
        raise ValueError(f"{what} {twice[0]!r} twice")


class OwnParticipant(Frozen):
    """A model that was trained elsewhere.

    Attributes:
        checkpoint: Its state dict: `.safetensors`, or any other name for what `torch.save` wrote.
        data: What it was trained on: its private examples.
        held_out: Labelled examples that it was not trained on and gives to the common splits.
        labels: The class that each of the network's outputs means: a list, or a mapping from output number
            to class that leaves outputs out; by default the classes of `data`.
        claimed_accuracy: On `data`, in [0, 1]: what whoever trained it measured.
    """

    architecture: Network
    checkpoint: FilePath
    data: AnySource
    held_out: AnySource | None = None
    input: Input = Input()
    labels: Annotated[dict[int, Label], BeforeValidator(_numbered)] | None = Field(default=None, min_length=1)
    claimed_accuracy: float | None = Field(default=None, ge=0, le=1)

    @field_validator("labels")
    @classmethod
    def _outputs(cls, labels: dict[int, str] | None) -> dict[int, str] | None:
        if labels and min(labels) < 0:
            raise ValueError(f"output {min(labels)} does not exist; outputs are numbered from 0")
        _once(list(labels.values()) if labels else None, "class")
        return labels


class _Splits(Frozen):
    """What all ways to come by the common splits share.

    Attributes:
        duplicates: What becomes of images that are also somebody's private data, or in another split: a
            student would be judged on what it was trained on.
    """

    duplicates: Literal["refuse", "drop"] = "refuse"


class SharedSplits(_Splits):
    """One common benchmark, divided by chance with the class shares of the whole."""

    kind: Literal["shared"]
    data: AnySource
    validation: int = Field(ge=1)
    confirmation: int = Field(ge=1)
    test: int = Field(ge=1)
    public: int = Field(default=0, ge=0)


class SeparateSplits(_Splits):
    """Each common part from a place of its own."""

    kind: Literal["separate"]
    validation: AnySource
    confirmation: AnySource
    test: AnySource
    public: AnySource | None = None


class HeldOutSplits(_Splits):
    """What the participants give as `held_out`, divided in these proportions."""

    kind: Literal["held_out"]
    validation: float = Field(default=0.25, gt=0)
    confirmation: float = Field(default=0.4, gt=0)
    test: float = Field(default=0.25, gt=0)
    public: float = Field(default=0.1, ge=0)


OwnSplits = Annotated[SharedSplits | SeparateSplits | HeldOutSplits, Field(discriminator="kind")]


class ImageShape(Frozen):
    """What all images are brought to as they are read; by default they have to agree already."""

    channels: Literal[1, 3] | None = None
    size: int | None = Field(default=None, ge=1, le=4096)


class OwnFederation(Located):
    """Participants that were trained elsewhere, and the common splits that they are judged on.

    Attributes:
        name: With a content hash: the federation's name.
        classes: The common label space, in this order; by default in the order in which the participants'
            data name them.
        seed: Of what is divided by chance.
    """

    name: Name
    participants: tuple[OwnParticipant, ...] = Field(min_length=2, max_length=1000)
    splits: OwnSplits
    images: ImageShape = ImageShape()
    classes: tuple[Label, ...] | None = Field(default=None, min_length=2)
    seed: int = Field(default=0, ge=0)

    @field_validator("classes")
    @classmethod
    def _different(cls, classes: tuple[str, ...] | None) -> tuple[str, ...] | None:
        _once(classes, "class")
        return classes

    @model_validator(mode="after")
    def _somebody_holds_out(self) -> OwnFederation:
        if isinstance(self.splits, HeldOutSplits):
            missing = [number for number, one in enumerate(self.participants) if one.held_out is None]
            if missing:
                raise ValueError(f"splits are held_out, so participants.{missing[0]} needs held_out, too")
        return self

    @property
    def size(self) -> int:
        """Number of participants."""
        return len(self.participants)

    @property
    def has_public(self) -> bool:
        """Whether there is a public part to train on."""
        public = self.splits.public
        return public is not None and (isinstance(public, Source) or public > 0)

    @property
    def described_data(self) -> str:
        """What the images are called in a table."""
        return self.name


def is_own(content: object) -> bool:
    """Whether a federation's fields are those of `OwnFederation`: its participants are a list."""
    participants = (
        content.get("participants")
        if isinstance(content, Mapping)
        else getattr(content, "participants", None)
    )
    return isinstance(participants, list | tuple)
