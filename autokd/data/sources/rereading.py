"""Whether a data set gives the same example again: what is read once is what all runs use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

_EXAMPLES: Final = 16


def unsteady(dataset: Any, rows: NDArray[np.int64]) -> tuple[str, ...]:
    """Return a note if examples differ when they are read twice, as those with random augmentation do.

    Args:
        dataset: Anything with an example at each index.
        rows: Indices that are read; some of them are asked for, evenly spread.
    """
    count = min(_EXAMPLES, len(rows))
    for number in rows[np.linspace(0, len(rows) - 1, count).round().astype(np.int64)].tolist():
        try:
            same = _same(dataset[number], dataset[number])
        except Exception as error:
            words = f"{type(error).__name__}: {str(error)[:200]}"
            return (f"example {number} cannot be read a second time ({words}); what was read first is used",)
        if not same:
            return (
                f"example {number} differs when it is read twice: a random augmentation? All runs use what "
                "was read once, and a model is measured on that; leave the randomness out",
            )
    return ()


def _same(first: Any, other: Any) -> bool:
    if isinstance(first, Mapping):
        return first.keys() == other.keys() and all(_same(first[key], other[key]) for key in first)
    if isinstance(first, tuple | list):
        return len(first) == len(other) and all(map(_same, first, other))
    if isinstance(first, torch.Tensor):
        first, other = first.detach().cpu().numpy(), other.detach().cpu().numpy()
    if isinstance(first, Image.Image | np.ndarray):
        # Equal bytes also where a pixel is NaN.
        first, second = np.asarray(first), np.asarray(other)
        return (first.shape, first.dtype) == (
            second.shape,
            second.dtype,
        ) and first.tobytes() == second.tobytes()
    return True if first is other else bool(first == other)
