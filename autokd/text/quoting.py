"""Quotes values in messages: short, whatever the value is, and without running what could be long."""

from __future__ import annotations

import reprlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from difflib import get_close_matches
from typing import Final

LONGEST: Final = 80
"""Characters of a quoted value."""
_DIGITS: Final = 30


class _Quotes(reprlib.Repr):
    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxother = LONGEST
        self.maxlevel = 2

    def repr_int(self, value: int, level: int) -> str:
        # NOTE: Python refuses to write an integer of more than 4,300 digits.
        if abs(value) >= 10**_DIGITS:
            digits = int(value.bit_length() * 0.30103) + 1
            return f"a whole number of about {digits} digits"
        return repr(value)


_QUOTES: Final = _Quotes()


def quoted(value: object) -> str:
    """Return a value as a message quotes it, in at most some hundred characters."""
    if value is None:
        return "nothing (null)"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return "fields (name: value)"
    if isinstance(value, list | tuple | set | frozenset):
        return "a list" if value else "an empty list"
    if isinstance(value, str | bytes | int | float):
        return _QUOTES.repr(value)
    if isinstance(value, date):
        return value.isoformat()
    return f"a value of type {type(value).__name__}"


def counted(number: int, noun: str) -> str:
    """Return a number of things as `1 pair` or `2 pairs`."""
    return f"{number} {noun if number == 1 else f'{noun}s'}"


def one_of(names: Iterable[object]) -> str:
    """Return names as `a, b or c`."""
    words = [str(name) for name in names]
    return " or ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def listed(names: Sequence[str], *, most: int) -> str:
    """Return names as `a, b and 3 more`."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def did_you_mean(written: object, known: Iterable[object]) -> str:
    """Return `; did you mean name?` if one of the known names is close to what was written, else nothing."""
    names = {str(name).casefold(): str(name) for name in known}
    close = get_close_matches(str(written)[:LONGEST].casefold(), names, n=1) if _is_short(written) else []
    return f"; did you mean {names[close[0]]}?" if close else ""


def _is_short(written: object) -> bool:
    return isinstance(written, str) and 0 < len(written) <= LONGEST
