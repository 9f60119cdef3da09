"""Other ways to read the inputs that a network is given, and how many answers are right under each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autokd.compute.device import Compute
from autokd.config.images import Input
from autokd.data.dataset import Dataset
from autokd.data.mapped_arrays import take_rows
from autokd.data.pixel_facts import PixelScale
from autokd.data.tensor_facts import Facts, TensorFacts
from autokd.models.adapter import Adapted
from autokd.models.inference import evaluation_batch

Numbers = tuple[float, ...]
_NONE: Final = ((0.0,), (1.0,))
_IMAGENET: Final = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""Source: the weights of torchvision and timm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One way to read pixels.

    Attributes:
        words: What is done, as in "with ... it would be 90%".
        way_out: What a recipe would have to say.
        mean, std: Normalisation in front of the network.
        change: What is done to pixels before.
    """

    words: str
    way_out: str
    mean: Numbers
    std: Numbers
    change: Callable[[Tensor], Tensor] = lambda pixels: pixels


_OWN: Final = "with the mean and std of its own data"
_WITHOUT: Final = Reading(
    words="without mean and std", way_out="take mean and std out of its input", mean=(0.0,), std=(1.0,)
)


def is_plain(declared: Input) -> bool:
    """Return whether an input says no normalisation."""
    return set(declared.mean) == {0.0} and set(declared.std) == {1.0}


def plausible(declared: Input, facts: Facts) -> list[Reading]:
    """Return the readings that are mistaken for each other, the likeliest first.

    Args:
        declared: Input as the recipe says it.
        facts: Pixels or numbers of the model's own data.
    """
    if isinstance(facts, TensorFacts):
        return _of_tensors(declared, facts)
    mean, std = declared.mean, declared.std
    top = max(facts.high, 1.0)

    def normalised(words: str, with_: tuple[Numbers, Numbers]) -> Reading:
        return Reading(words=words, way_out=_say(*with_), mean=with_[0], std=with_[1])

    readings = [
        Reading(
            words="with pixels times 255 and no normalisation",
            way_out="was it trained on pixels from 0 to 255? Then " + _say((0.0,), (1 / 255,)),
            mean=(0.0,),
            std=(1 / 255,),
        ),
        Reading(
            words="with pixels divided by 255",
            way_out="was it trained on pixels in [0, 1]? Then say bits: 8 on all sources"
            if facts.scale is PixelScale.POSITIVE
            else "was it trained on pixels divided by 255 twice? Then "
            + _say(tuple(255 * value for value in mean), tuple(255 * value for value in std)),
            mean=mean,
            std=std,
            change=lambda pixels: pixels / 255,
        ),
    ]
    if max(mean) > 1 or max(std) > 1:
        scaled = tuple(value / 255 for value in mean), tuple(value / 255 for value in std)
        readings.append(normalised("with mean and std divided by 255", scaled))
    if not is_plain(declared):
        readings.append(_WITHOUT)
    readings.append(normalised("with mean 0.5 and std 0.5", ((0.5,), (0.5,))))
    channels = declared.channels or facts.shape[0]
    if facts.shape[0] in (1, channels):
        own = tuple(round(value, 4) for value in facts.mean)
        spread = tuple(round(value, 4) or 1.0 for value in facts.std)
        readings.append(normalised(_OWN, (own, spread)))
    if channels == 3:
        readings.append(normalised("with ImageNet's mean and std", _IMAGENET))
    if facts.shape[0] == channels == 3:
        readings.append(
            Reading(
                words="with the channels in reverse order",
                way_out="was it trained on BGR, as OpenCV reads images? Then store its images, and those of "
                "the common splits, so, or reverse them in its network",
                mean=mean,
                std=std,
                change=lambda pixels: pixels.flip(1),
            )
        )
    readings.append(
        Reading(
            words="with inverted pixels",
            way_out="was it trained on white instead of black, or the reverse?",
            mean=mean,
            std=std,
            change=(lambda pixels: top - pixels) if facts.low >= 0 else (lambda pixels: -pixels),
        )
    )
    return readings


def in_whole_grey(declared: Input, data: Dataset) -> Reading | None:
    """Return the other way to make colour images grey, or None where the network takes them as they are.

    A network's `channels: 1` is done in floating point, as torchvision's `Grayscale` does with tensors of
    floats; Pillow's `convert("L")` rounds to whole numbers.
    """
    if declared.channels != 1 or data.is_tensor or data.images.shape[1] != 3 or data.images.dtype != np.uint8:
        return None
    return Reading(
        words='with grey in whole numbers, as Pillow\'s convert("L") makes it,',
        way_out="was it trained on these? Then say federation.images: {channels: 1}, or store grey images",
        mean=declared.mean,
        std=declared.std,
        change=_whole_grey,
    )


def _whole_grey(pixels: Tensor) -> Tensor:
    """Return colour pixels in [0, 1] as three equal channels. Source: Pillow, libImaging/Convert.c, L24."""
    red, green, blue = (pixels * 255).round().to(torch.int32).unbind(dim=1)
    grey = (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16
    return (grey / 255).unsqueeze(1).expand(-1, 3, -1, -1)


def _of_tensors(declared: Input, facts: TensorFacts) -> list[Reading]:
    """Return the readings of tensors: standardised or not. Token ids have one only."""
    if facts.is_whole:
        return []
    if not is_plain(declared):
        return [_WITHOUT]
    mean = tuple(float(f"{value:.5g}") for value in facts.mean)
    std = tuple(float(f"{value:.5g}") or 1.0 for value in facts.std)
    way_out = "was it trained on standardised data? Then say input: {mean: [...], std: [...]}"
    return [Reading(words=_OWN, way_out=way_out, mean=mean, std=std)]


def _say(mean: Numbers, std: Numbers) -> str:
    """Return an input as a recipe says it."""
    fields = [("mean", mean)] if set(mean) != {0.0} else []
    text = ", ".join(
        f"{name}: [{', '.join(f'{value:.9g}' for value in values)}]"
        for name, values in [*fields, ("std", std)]
    )
    return f"say input: {{{text}}}"


def right_answers(
    module: Adapted, data: Dataset, compute: Compute, rows: NDArray[np.int64], reading: Reading | None = None
) -> NDArray[np.bool_]:
    """Return which answers to some examples are right; the module stays as it is."""
    mean, std = torch.tensor(data.mean), torch.tensor(data.std)
    step = evaluation_batch(module, data.images.shape[1:])
    right = np.empty(len(rows), dtype=np.bool_)
    with torch.inference_mode(), _read_as(module.eval(), reading):
        for start in range(0, len(rows), step):
            part = rows[start : start + step]
            pixels = compute.pixels(torch.from_numpy(take_rows(data.images, part)), mean=mean, std=std)
            answers = module(pixels if reading is None else reading.change(pixels))
            right[start : start + step] = answers.argmax(dim=1).cpu().numpy() == data.labels[part]
    return right


@contextmanager
def _read_as(module: Adapted, reading: Reading | None) -> Iterator[None]:
    before = module.mean, module.std, module.is_plain
    if reading is not None:
        module.is_plain = False
        module.mean, module.std = (
            torch.tensor(values, dtype=torch.float32, device=old.device).view(1, -1, *old.shape[2:])
            for values, old in zip((reading.mean, reading.std), before[:2], strict=True)
        )
    try:
        yield
    finally:
        module.mean, module.std, module.is_plain = before
