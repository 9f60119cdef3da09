"""Checks of single arguments that a program passes: each returns the value as it is meant."""

from __future__ import annotations

import functools
import inspect
import math
import operator
import os
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, TypeVar

from autokd.errors import ArgumentError
from autokd.text.quoting import did_you_mean, one_of, quoted

_E = TypeVar("_E", bound=StrEnum)
_C = TypeVar("_C")
Check = Callable[[str, Any], Any]
"""Returns an argument as it is meant, from its name and what was passed; raises `ArgumentError`."""
_LARGEST: Final = 2**63 - 1


def whole(name: str, value: object, *, least: int = 0, most: int = _LARGEST) -> int:
    """Return a whole number; 3.0 is one, a truth value is none.

    Raises:
        ArgumentError: If it is none, or out of bounds.
    """
    try:
        if type(value).__name__ in ("bool", "bool_"):
            raise TypeError
        number = int(value) if isinstance(value, float) and value.is_integer() else operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise ArgumentError(name, f"must be a whole number, not {quoted(value)}") from None
    if number < least:
        raise ArgumentError(name, f"must be at least {least}, not {quoted(number)}")
    if number > most:
        raise ArgumentError(name, f"must be at most {most}, not {quoted(number)}")
    return number


def real(name: str, value: object, *, least: float = -math.inf, above: float = -math.inf) -> float:
    """Return a finite number as it is; a truth value is none.

    Raises:
        ArgumentError: If it is none, or out of bounds.
    """
    try:
        if type(value).__name__ in ("bool", "bool_") or isinstance(value, str):
            raise TypeError
        finite = math.isfinite(value)  # type: ignore[arg-type]
    except (TypeError, OverflowError, ValueError):
        finite = False
    if not finite:
        raise ArgumentError(name, f"must be a number, not {quoted(value)}")
    number: float = value  # type: ignore[assignment]
    if number <= above:
        raise ArgumentError(name, f"must be greater than {above:g}, not {quoted(value)}")
    if number < least:
        raise ArgumentError(name, f"must be at least {least:g}, not {quoted(value)}")
    return number


def member(name: str, value: object, kind: type[_E]) -> _E:
    """Return the member of an enumeration that is passed, or named.

    Raises:
        ArgumentError: If it is none; it lists them.
    """
    return value if isinstance(value, kind) else kind(choice(name, value, [entry.value for entry in kind]))


def choice(name: str, value: object, known: Sequence[str]) -> str:
    """Return one of the known names; raise `ArgumentError`, which lists them, if it is another value."""
    if type(value) is str and value in known:
        return value
    wanted = one_of(f"'{name}'" for name in known)
    raise ArgumentError(name, f"must be {wanted}, not {quoted(value)}{did_you_mean(value, known)}")


def flag(name: str, value: object) -> bool:
    """Return a truth value; raise `ArgumentError` if it is none."""
    if type(value).__name__ not in ("bool", "bool_"):
        raise ArgumentError(name, f"must be True or False, not {quoted(value)}")
    return bool(value)


def text(name: str, value: object) -> str:
    """Return a text; raise `ArgumentError` if it is none or empty."""
    if not isinstance(value, str) or not value:
        raise ArgumentError(name, f"must be a text, not {quoted(value)}")
    return value


def path(name: str, value: object) -> Path:
    """Return a path; raise `ArgumentError` if it is none."""
    if isinstance(value, str) and value and "\0" not in value:
        return Path(value)
    if isinstance(value, os.PathLike) and isinstance(os.fspath(value), str):
        return Path(value)
    raise ArgumentError(name, f"must be a path, not {quoted(value)}")


def instance(kind: str) -> Check:
    """Return the check for an object of one of autokd's classes, by the name of the class."""

    def check(name: str, value: Any) -> Any:
        for base in type(value).__mro__:
            if base.__name__ == kind and base.__module__.partition(".")[0] == "autokd":
                return value
        raise ArgumentError(name, f"must be an autokd.{kind}, not {quoted(value)}")

    return check


def constructed(kind: type[_C]) -> type[_C]:
    """Decorate a public class: what its constructor does not know, or lacks, is an `ArgumentError`."""
    construct: Callable[..., None] = kind.__init__

    @functools.wraps(construct)
    def explained(self: _C, *args: Any, **kwargs: Any) -> None:
        try:
            construct(self, *args, **kwargs)
        except TypeError:
            signature = inspect.signature(construct)
            try:
                signature.bind(self, *args, **kwargs)
            except TypeError as error:
                raise mismatch(kind.__name__, list(signature.parameters)[1:], kwargs, error) from None
            raise

    kind.__init__ = explained  # type: ignore[method-assign, assignment]
    return kind


def mismatch(
    function: str, parameters: Iterable[str], keywords: Iterable[str], error: TypeError
) -> ArgumentError:
    """Return what is wrong with a call that does not fit a function or class."""
    known = [name for name in parameters if name not in ("self", "cls")]
    for name in keywords:
        if name not in known:
            hint = did_you_mean(name, known)
            return ArgumentError(name, f"{function} has no such argument{hint}; it has: {', '.join(known)}")
    return ArgumentError(function, f"{error}; its arguments: {', '.join(known)}")
