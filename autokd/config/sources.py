"""Where labelled examples come from: files, folders, archives, tables, torchvision's data sets, own code."""

from __future__ import annotations

from typing import Annotated, ClassVar, Final, Literal

from pydantic import BeforeValidator, Field, model_validator

from autokd.config.base import Frozen, Option
from autokd.config.images import Normalisation
from autokd.config.mistakes import CODE, PATH
from autokd.config.numbers import Whole
from autokd.core.class_names import class_names

FilePath = Annotated[str, Field(min_length=1, max_length=4096, pattern=PATH)]
Code = Annotated[str, Field(pattern=CODE, max_length=255)]
"""`package.module:factory`. It is imported and called: code that the recipe's author vouches for."""


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
    if not each or not all(
        isinstance(path, str) and 0 < len(path) <= 4096 and "\0" not in path for path in each
    ):
        raise ValueError("must be a path, or a list of paths")
    return written


FilePaths = Annotated[str | tuple[str, ...], BeforeValidator(_paths)]


def _columns(written: object) -> object:
    """Return a list of names of columns as a tuple.

    Raises:
        ValueError: If it is neither a name nor a list of different names.
    """
    if isinstance(written, list | tuple):
        written = tuple(written)
    each = written if isinstance(written, tuple) else (written,)
    if not each or not all(isinstance(column, str) and column for column in each):
        raise ValueError("must be the name of a column, or a list of names")
    if len(set(each)) < len(each):
        raise ValueError("names a column twice")
    return written


Columns = Annotated[str | tuple[str, ...], BeforeValidator(_columns)]
_OF_PIXELS: Final = ("bits", "normalised", "orientation")


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

    @property
    def is_tensor(self) -> bool:
        """Whether its inputs are tensors of any shape, and no images."""
        return False


class AnyInput(Source):
    """Labelled examples whose inputs are images, or tensors that are none.

    Attributes:
        values: What the inputs are. `tensor`: numbers of any shape, e.g. features, token ids or spectrograms.
            Networks get them as they are: floating-point numbers as float32, whole numbers as int64.
    """

    omit_if_default: ClassVar[frozenset[str]] = Source.omit_if_default | {"values"}
    values: Literal["images", "tensor"] = "images"

    @property
    def is_tensor(self) -> bool:
        return self.values == "tensor"

    @model_validator(mode="after")
    def _no_pixels(self) -> AnyInput:
        if self.is_tensor:
            wrong = [name for name in _OF_PIXELS if getattr(self, name) != Source.model_fields[name].default]
            if wrong:
                raise ValueError(f"values: tensor has no pixels, so leave {wrong[0]} out")
        elif getattr(self, "inputs", "inputs") != "inputs":
            raise ValueError("inputs goes with values: tensor, which says that they are no images")
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


class NpzSource(AnyInput):
    """A NumPy archive: images (n, height, width[, channels]) or (n, channels, height, width), and labels.

    Attributes:
        images, labels: Names of the arrays.
        inputs: Name of the array of tensors, shape (n, ...).
    """

    omit_if_default: ClassVar[frozenset[str]] = AnyInput.omit_if_default | {"inputs"}
    kind: Literal["npz"]
    path: FilePath
    images: str = "images"
    labels: str = "labels"
    inputs: str = "inputs"


class ParquetSource(AnyInput):
    """A data set of Hugging Face: a column of structs with encoded images in `bytes`, and labels.

    Attributes:
        path: A Parquet file, a pattern or a list of files, a folder of files, or one of `save_to_disk`.
        image, label: Names of the columns; if there are none of these names, the only ones of their kind.
        inputs: For tensors: a column of lists of numbers, all of one length, or columns of numbers, which
            become a vector in this order.
    """

    omit_if_default: ClassVar[frozenset[str]] = AnyInput.omit_if_default | {"inputs"}
    kind: Literal["parquet"]
    path: FilePaths
    image: str = "image"
    label: str = "label"
    inputs: Columns = "inputs"


class CodeSource(AnyInput):
    """A `torch.utils.data.Dataset` of (input, label), made by a function or class that the recipe names."""

    kind: Literal["code"]
    factory: Code
    options: dict[str, Option] = Field(default_factory=dict)


class MemorySource(AnyInput):
    """Examples that a program passed in memory; they are identified by their content and not read again."""

    kind: Literal["memory"]
    sha256: str


AnySource = Annotated[
    TorchvisionSource | FolderSource | NpzSource | ParquetSource | CodeSource | MemorySource,
    Field(discriminator="kind"),
]
