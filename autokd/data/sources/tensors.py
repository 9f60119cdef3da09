"""Inputs that are no images: numbers of any shape, which networks get as they are."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from autokd.errors import PlanError

Tensors = NDArray[np.float32] | NDArray[np.int64]
DENSEST: Final = 256
"""How many times its size a file of tensors may unfold to: token ids that zeros follow are packed well."""
NUMBER_BYTES: Final = 8


def as_tensors(array: NDArray[Any], *, source: str, field: str) -> Tensors:
    """Return inputs of shape (n, ...): whole numbers as int64, others, and false and true, as float32.

    One number for each example becomes a vector of one.

    Raises:
        PlanError: If they are no numbers, or a number is too large for its type; names the example.
    """
    check_form(array, source=source, field=field)
    array = array[:, None] if array.ndim == 1 else array
    if array.dtype.kind in "iu":
        _check_range(array, array <= np.iinfo(np.int64).max, "int64", source, field)
        return np.ascontiguousarray(array, dtype=np.int64)
    with np.errstate(over="ignore"):
        numbers = np.ascontiguousarray(array, dtype=np.float32)
    if array.dtype.itemsize > numbers.dtype.itemsize:
        _check_range(array, np.isfinite(numbers) | ~np.isfinite(array), "float32", source, field)
    return numbers


def check_form(array: NDArray[Any], *, source: str, field: str) -> None:
    """Check the type and shape of inputs; no number is looked at.

    Raises:
        PlanError: If they are not those of inputs.
    """
    problem = ""
    if array.dtype.kind not in "iufb" or array.dtype.itemsize > NUMBER_BYTES:
        problem = f"holds {array.dtype}, not numbers (floating-point or whole ones of at most 64 bits)"
    elif array.ndim < 1 or 0 in array.shape[1:]:
        problem = f"has the shape {array.shape}, not (examples, ...) with a number in each example"
    if problem:
        raise PlanError(source=source, field=field, problem=problem)


def not_finite(array: NDArray[Any]) -> str:
    """Return the first number that is not finite, with its place; empty if all are."""
    if array.dtype != np.float32 or not array.size:
        return ""
    for row, example in enumerate(array):
        finite = np.isfinite(example)
        if not finite.all():
            place = _place(finite)
            return f"example {row} holds {example[place]} at {list(place)}, which is no finite number"
    return ""


def _check_range(array: NDArray[Any], fits: NDArray[np.bool_], kind: str, source: str, field: str) -> None:
    if fits.all():
        return
    row, *place = _place(fits)
    problem = f"example {row} holds {array[(row, *place)]} at {place}, which is too large for {kind}"
    raise PlanError(source=source, field=field, problem=problem)


def _place(good: NDArray[np.bool_]) -> tuple[int, ...]:
    return tuple(int(index) for index in np.unravel_index(int(good.argmin()), good.shape))
