"""The one rule for what a network answers: where in it the logits are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from torch import Tensor

from autokd.errors import PlanError

_DEEPEST: Final = 8
_EXPECTED: Final = (
    "not logits of shape (inputs, classes): it may answer a tensor, a tuple or list that begins with it, or "
    "an object or dict with `logits`"
)


def logits_in(answers: Any) -> Tensor:
    """Return the logits in a network's answers, shape (batch, outputs).

    These are the answers themselves if they are a tensor; what is called `logits` in a mapping or an object,
    as networks of transformers, and torchvision's GoogLeNet and Inception while they train, answer; or else
    the first entry of a tuple or list. The rule holds inside these, too.

    Raises:
        PlanError: If there are none.
    """
    logits = answers
    for _ in range(_DEEPEST):
        if isinstance(logits, Tensor):
            break
        named = logits.get("logits") if isinstance(logits, Mapping) else getattr(logits, "logits", None)
        if named is not None and not callable(named):
            logits = named
        elif isinstance(logits, tuple | list) and logits:
            logits = logits[0]
        else:
            break
    if not isinstance(logits, Tensor) or logits.ndim != 2 or not logits.is_floating_point():
        raise PlanError(source="forward pass", problem=f"answers {described(answers)}, {_EXPECTED}")
    return logits


def tensors_in(answers: Any, *, deepest: int = _DEEPEST) -> list[Tensor]:
    """Return all tensors in a network's answers: in tuples, lists and mappings, and attributes."""
    if isinstance(answers, Tensor):
        return [answers]
    if isinstance(answers, Mapping):
        entries: list[Any] = list(answers.values())
    elif isinstance(answers, tuple | list):
        entries = list(answers)
    else:
        entries = list(getattr(answers, "__dict__", {}).values())
    tensors = [entry for entry in entries if deepest and isinstance(entry, Tensor | tuple | list | Mapping)]
    return [tensor for entry in tensors for tensor in tensors_in(entry, deepest=deepest - 1)]


def others_like(answers: Any, logits: Tensor) -> list[Tensor]:
    """Return the tensors of the logits' shape that stand beside them in a network's answers."""
    return [tensor for tensor in tensors_in(answers) if tensor is not logits and tensor.shape == logits.shape]


def described(answers: Any) -> str:
    """Return types and shapes of a network's answers, for messages."""
    if isinstance(answers, Tensor):
        shape = ", ".join(map(str, answers.shape))
        return f"({shape})" + ("" if answers.is_floating_point() else f" of {answers.dtype}")
    if isinstance(answers, Mapping):
        entries = ", ".join(f"{str(name)[:20]!r}" for name in list(answers)[:6])
        return f"a {type(answers).__name__} of {entries or 'nothing'}"
    if isinstance(answers, tuple | list):
        entries = ", ".join(
            described(answer) if isinstance(answer, Tensor) else type(answer).__name__
            for answer in answers[:6]
        )
        return f"a {type(answers).__name__} of {entries or 'nothing'}"
    return f"a {type(answers).__name__}"
