"""What own code changes in the process that imports it, and what is put back: it is one of several there."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any, Final

_PER_TORCH: Final[
    tuple[tuple[Callable[[Any], Any], Callable[[Any, Any], object], Callable[[Any], Any]], ...]
] = (
    (
        lambda torch: torch.get_default_dtype(),
        lambda torch, kind: torch.set_default_dtype(kind),
        lambda torch: torch.float32,
    ),
    (
        lambda torch: torch.is_grad_enabled(),
        lambda torch, mode: torch.set_grad_enabled(mode),
        lambda torch: True,
    ),
    (
        lambda torch: torch.get_num_threads(),
        lambda torch, number: torch.set_num_threads(number),
        # It depends on the machine, so it stays.
        lambda torch: torch.get_num_threads(),
    ),
    (
        lambda torch: torch.get_deterministic_debug_mode(),
        lambda torch, mode: torch.set_deterministic_debug_mode(mode),
        lambda torch: 0,
    ),
    (
        lambda torch: torch.get_float32_matmul_precision(),
        lambda torch, kind: torch.set_float32_matmul_precision(kind),
        lambda torch: "highest",
    ),
    (
        lambda torch: torch.backends.cudnn.benchmark,
        lambda torch, mode: setattr(torch.backends.cudnn, "benchmark", mode),
        lambda torch: False,
    ),
    (
        lambda torch: torch.get_default_device().type,
        # Not the CPU itself: a device that is set has a cost with every call.
        lambda torch, kind: torch.set_default_device(None if kind == "cpu" else kind),
        lambda torch: "cpu",
    ),
)
"""Settings of PyTorch that scripts change when they are imported: how each is asked for and set, and what it
is where PyTorch was not imported before."""


@contextmanager
def undisturbed(program: str) -> Iterator[None]:
    """Run own code: working folder, command line and PyTorch's settings are those of before at the end.

    Its command line is the name of its program alone, so that a script's defaults hold. What it writes to
    standard output goes to standard error, since standard output is for a command's result.
    """
    folder, arguments, settings = Path.cwd(), sys.argv, _settings()
    sys.argv = [program]
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        os.chdir(folder)
        sys.argv = arguments
        _put_back(settings)


def _settings() -> list[Any] | None:
    """Return PyTorch's settings; None if it is not imported yet."""
    torch = sys.modules.get("torch")
    return None if torch is None else [ask(torch) for ask, _, _ in _PER_TORCH]


def _put_back(settings: list[Any] | None) -> None:
    torch = sys.modules.get("torch")
    if torch is None:
        return
    before = [usual(torch) for _, _, usual in _PER_TORCH] if settings is None else settings
    for (ask, set_, _), value in zip(_PER_TORCH, before, strict=True):
        if ask(torch) != value:
            set_(torch, value)
