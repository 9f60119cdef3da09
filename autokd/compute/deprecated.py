"""`Compute.channels_last`, which `memory_format` replaces, for one more release."""

from __future__ import annotations

import functools
import warnings
from typing import Any

from autokd.compute.device import Compute as Compute

_init = Compute.__init__


@functools.wraps(_init)
def _with_channels_last(self: Compute, *args: Any, channels_last: bool | None = None, **fields: Any) -> None:
    if channels_last is not None:
        _warn("channels_last=", stacklevel=3)
        fields["memory_format"] = "channels_last" if channels_last else "contiguous"
    _init(self, *args, **fields)


def _is_channels_last(self: Compute) -> bool:
    _warn("Compute.channels_last", stacklevel=3)
    return self.memory_format == "channels_last"


def _warn(former: str, *, stacklevel: int) -> None:
    warnings.warn(f"{former} is deprecated: use memory_format", DeprecationWarning, stacklevel=stacklevel)


# Set here and not in the class, so that copies and comparisons of a `Compute` know its own fields only.
Compute.__init__ = _with_channels_last  # type: ignore[method-assign]
Compute.channels_last = property(_is_channels_last)  # type: ignore[attr-defined]
