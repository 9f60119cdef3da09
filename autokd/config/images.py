"""The shape that images are converted to, and what their pixels were normalised with."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from autokd.config.base import Frozen
from autokd.config.numbers import Number, Whole, whole

Pixels = Annotated[Whole, Field(ge=1, le=4096)]
Margin = Annotated[Whole, Field(ge=0, le=4096)]
Interpolation = Literal["nearest", "bilinear", "bicubic", "box", "hamming", "lanczos"]
Means = Annotated[tuple[Number, ...], Field(min_length=1)]
Deviations = Annotated[tuple[Annotated[Number, Field(gt=0)], ...], Field(min_length=1)]


class Normalisation(Frozen):
    """What pixels in [0, 1] were normalised with; one number, or one per channel."""

    mean: Means = (0.0,)
    std: Deviations = (1.0,)


class ImageShape(Frozen):
    """The shape that images are converted to; by default they keep their own.

    Attributes:
        channels: 3 repeats grey images, 1 converts to grey.
        size: Height and width that images are scaled to, whatever their shape was.
        pad, resize, max_size, crop: As torchvision's `Pad` (with zeros), `Resize` (a number is the shorter
            side) and `CenterCrop`, done in this order when images are read; numbers in pixels.
        interpolation: How `resize` and `size` interpolate.
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
