"""What own code changes in the process that imports it, and what is put back: it is one of several there."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any, Final

_PER_TORCH: Final[tuple[tuple[Callable[[Any], Any], Callable[[Any, Any], object], Any], ...]] = (
    (lambda torch: torch.get_default_dtype(), lambda torch, kind: torch.set_default_dtype(kind), "float32"),
    (lambda torch: torch.is_grad_enabled(), lambda torch, mode: torch.set_grad_enabled(mode), True),
    (lambda torch: torch.get_num_threads(), lambda torch, number: torch.set_num_threads(number), None),
    (
        lambda torch: torch.get_deterministic_debug_mode(),
        lambda torch, mode: torch.set_deterministic_debug_mode(mode),
        0,
    ),
    (
        lambda torch: torch.get_float32_matmul_precision(),
        lambda torch, kind: torch.set_float32_matmul_precision(kind),
        "highest",
    ),
    (
        lambda torch: torch.backends.cudnn.benchmark,
        lambda torch, mode: setattr(torch.backends.cudnn, "benchmark", mode),
        False,
    ),
    (
        lambda torch: torch.get_default_device().type,
        # Not the CPU itself: a device that is set has a cost with every call.
        lambda torch, kind: torch.set_default_device(None if kind == "cpu" else kind),
        "cpu",
    ),
)
"""Settings of PyTorch that scripts change when they are imported: how each is asked for and set, and what it
is where PyTorch was not imported before; None where that depends on the machine."""


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


def _settings() -> list[Any]:
    torch = sys.modules.get("torch")
    return [usual if torch is None else ask(torch) for ask, _, usual in _PER_TORCH]


def _put_back(settings: list[Any]) -> None:
    torch = sys.modules.get("torch")
    for (ask, set_, _), before in zip(_PER_TORCH if torch is not None else (), settings, strict=False):
        before = torch.float32 if before == "float32" else before  # type: ignore[union-attr]
        if before is not None and ask(torch) != before:
            set_(torch, before)
