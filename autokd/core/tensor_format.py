"""Memory layout and precision of a run: what decides its bits beside device and number of threads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

MemoryFormat = Literal["contiguous", "channels_last"]
Precision = Literal["float32", "bfloat16"]


@dataclass(frozen=True, slots=True)
class TensorFormat:
    """Memory layout and precision of a run; all runs of a study have the same.

    Attributes:
        memory_format: Layout of images and convolution weights, in PyTorch's words: `contiguous` has each
            channel as one plane, `channels_last` all channels of a pixel side by side.
        precision: `bfloat16` runs forward passes under autocast; weights stay float32.
    """

    memory_format: MemoryFormat = "contiguous"
    precision: Precision = "float32"

    def __post_init__(self) -> None:
        if self.memory_format not in get_args(MemoryFormat) or self.precision not in get_args(Precision):
            raise ValueError(f"there is no tensor format {self.memory_format}, {self.precision}")

    def __str__(self) -> str:
        return f"{self.memory_format}, {self.precision}"

    def to_json(self) -> dict[str, str]:
        """Return the fields by name, as studies, trials and JSON have them."""
        return {"precision": self.precision, "memory_format": self.memory_format}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> TensorFormat:
        """Return the format that a mapping has; what it does not name has its default.

        Raises:
            ValueError: If it names a format that does not exist.
        """
        return cls(**{name: content[name] for name in ("memory_format", "precision") if name in content})


FORMER_FORMAT: Final = TensorFormat()
"""The format of every run that was stored before there was a choice."""
