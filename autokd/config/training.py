"""How networks are trained: before the participants meet, and while a student is distilled."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from autokd.config.base import Frozen
from autokd.config.numbers import Number, Whole


class TrainingConfig(Frozen):
    """How a network is trained. Every training starts with a fresh optimizer."""

    optimizer: Literal["sgd", "adam", "adamw"] = "sgd"
    learning_rate: Number = Field(gt=0)
    momentum: Number = Field(default=0.9, ge=0, lt=1, description="Used by sgd only.")
    weight_decay: Number = Field(default=0.0, ge=0)
    schedule: Literal["constant", "cosine"] = "constant"
    batch_size: Whole = Field(default=32, ge=2)
    epochs: Whole = Field(ge=1)


class PretrainingConfig(TrainingConfig):
    """How a participant is trained on its own data.

    `crop_flip` pads each image by 4 pixels, crops it at random and mirrors it with probability 0.5.
    """

    omit_if_default: ClassVar[frozenset[str]] = frozenset({"augmentation"})
    augmentation: Literal["none", "crop_flip"] = "none"


class DistillationConfig(TrainingConfig):
    """How a student is distilled; the same for every setting of a study.

    Attributes:
        batch_norm: Whether BatchNorm statistics are updated (`train`) or stay as they are (`frozen`).
        on_out_of_memory: What happens if the device cannot hold a batch: the run fails (`fail`), or the batch
            is processed in parts whose gradients are summed (`split`; BatchNorm then sees the parts).
    """

    omit_if_default: ClassVar[frozenset[str]] = frozenset({"on_out_of_memory"})
    batch_norm: Literal["train", "frozen"] = "train"
    on_out_of_memory: Literal["fail", "split"] = "fail"
