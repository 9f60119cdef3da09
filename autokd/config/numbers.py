"""Numbers in recipes: what can only mean one number is taken, everything else is refused in plain words."""

from __future__ import annotations

import math
import re
from typing import Annotated, Any, Final

from pydantic import BeforeValidator

from autokd.text.quoting import quoted

MOST: Final = 2**63 - 1
"""The largest whole number in a recipe: what a database and NumPy can hold."""
_NUMBER: Final = re.compile(r"[-+]?(\d{1,400}(\.\d{0,400})?|\.\d{1,400})([eE][-+]?\d{1,5})?", re.ASCII)


def number_in(text: str) -> float | int | None:
    """Return the number that a text is, such as `1e-1`, which is a text in YAML 1.1; None if it is none."""
    text = text.strip()
    if not _NUMBER.fullmatch(text):
        return None
    return int(text) if re.fullmatch(r"[-+]?\d{1,400}", text, re.ASCII) else float(text)


def whole(value: object) -> int:
    """Return a whole number: also 3.0, "3" and NumPy's integers, but no truth value.

    Raises:
        ValueError: If it is none, or larger than any that is meant.
    """
    number = _plain(value)
    if number is None or (isinstance(number, float) and not number.is_integer()):
        raise ValueError(f"must be a whole number, not {quoted(value)}")
    if abs(number) > MOST:
        raise ValueError(f"must be a whole number of at most 19 digits, not {quoted(value)}")
    return int(number)


def number(value: object) -> float:
    """Return a finite number: also 3, "1e-1" and NumPy's numbers, but no truth value.

    Raises:
        ValueError: If it is none.
    """
    plain = _plain(value)
    try:
        if plain is not None and math.isfinite(plain):
            return float(plain)
    except OverflowError:
        pass
    raise ValueError(f"must be a number, not {quoted(value)}")


def _plain(value: object) -> int | float | None:
    """Return a value as Python's own number; None if it is none, or infinitely large, or a truth value."""
    if isinstance(value, str):
        return number_in(value)
    if isinstance(value, bool) or type(value).__name__ in ("bool", "bool_"):
        return None
    if isinstance(value, int):
        return value
    kind: Any = getattr(value, "dtype", None)
    if kind is not None and getattr(value, "shape", None) == ():
        value = value.item()  # type: ignore[attr-defined]
        return _plain(value) if isinstance(value, int | float) else None
    return value if isinstance(value, float) and math.isfinite(value) else None


Whole = Annotated[int, BeforeValidator(whole)]
Number = Annotated[float, BeforeValidator(number)]
