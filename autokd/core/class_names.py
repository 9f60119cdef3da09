"""Names of classes: one form for all sources, and hints where two names seem to mean one class."""

from __future__ import annotations

import operator
import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Final

from autokd.text.quoting import quoted

LONGEST: Final = 255
_TOO_LARGE: Final = 10**30
_NUMBERED: Final = re.compile(r"(\d+)\s*(?:[-:]|\.(?=\s))\s*([^\W\d].*)")
"""`0 - zero`, as torchvision's MNIST names its classes."""


def class_name(value: object) -> str:
    """Return a class name in its one form: text in Unicode NFC; whole numbers as they are written.

    A tuple or list of synonyms, as torchvision's ImageNet has them, is called by its first one.

    Raises:
        ValueError: If the value can be no name, or could mean several.
    """
    if isinstance(value, tuple | list) and value:
        value = value[0]
    if isinstance(value, bytes):
        value = _text(value)
    if not isinstance(value, str):
        return str(_whole(value))
    name = unicodedata.normalize("NFC", str(value))
    if not name.strip():
        raise ValueError("a class needs a name that is not empty")
    if len(name) > LONGEST:
        raise ValueError(f"the class name {name[:20]!r}... is longer than {LONGEST} characters")
    try:
        name.encode()
    except UnicodeEncodeError:
        raise ValueError(
            f"the class name {name!a} is no valid Unicode (is it in Latin-1?); give it a name in UTF-8"
        ) from None
    return name


def class_names(values: Iterable[object]) -> tuple[str, ...]:
    """Return class names in their one form, in the same order.

    Raises:
        ValueError: If one can be no name, or two are the same; names both.
    """
    written = list(values)
    names = tuple(map(class_name, written))
    if len(set(names)) < len(names) and any(isinstance(value, tuple | list) for value in written):
        # Synonyms: "crane" the bird and "crane" the machine may differ in a later one.
        names = tuple(", ".join(map(class_name, _listed(value))) for value in written)
    first: dict[str, int] = {}
    for number, name in enumerate(names):
        before = first.setdefault(name, number)
        if before != number:
            raise ValueError(_twice(name, written, before, number))
    return names


def alike(names: Iterable[str], others: Iterable[str]) -> list[tuple[str, str]]:
    """Return pairs of different names, one of each group, that seem to mean one class.

    They differ in case, blanks, hyphens, underscores or leading zeros, or one has the other's number or word,
    as `0 - zero` has. A name that both groups have is never in a pair.
    """
    left, right = list(dict.fromkeys(names)), list(dict.fromkeys(others))
    by_key: dict[str, str] = {}
    for name in right:
        if name not in left:
            for key in _keys(name):
                by_key.setdefault(key, name)
    pairs = []
    for name in left:
        if name not in right:
            same = next((by_key[key] for key in _keys(name) if key in by_key), None)
            if same is not None:
                pairs.append((name, same))
    return pairs


def _keys(name: str) -> list[str]:
    numbered = _NUMBERED.fullmatch(name.strip())
    words = [name, *numbered.groups()] if numbered else [name]
    return list(dict.fromkeys(_plain(word) for word in words))


def _plain(name: str) -> str:
    text = re.sub(r"[\s_\-]+", "", unicodedata.normalize("NFKC", name).casefold())
    return str(int(text)) if text.isdecimal() else text or name


def _whole(value: object) -> int:
    try:
        # NumPy's and PyTorch's integers, too, but no floating-point number.
        if isinstance(value, bool) or type(value).__name__ in ("bool", "bool_"):
            raise TypeError
        number = operator.index(value)  # type: ignore[arg-type]
        if abs(number) >= _TOO_LARGE:
            raise TypeError
        return number
    except TypeError:
        hint = ""
        if value is None or isinstance(value, bool | float):
            hint = "; put it into quotes if it is meant as one"
        raise ValueError(f"{quoted(value)} is no class name{hint}") from None


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise ValueError(f"the class name {value[:60]!r} is not text in UTF-8") from None


def _listed(value: object) -> Sequence[object]:
    return value if isinstance(value, tuple | list) else [value]


def _twice(name: str, written: Sequence[object], before: int, number: int) -> str:
    if written[before] == written[number] and type(written[before]) is type(written[number]):
        return f"class {name!r} twice (numbers {before} and {number})"
    spelt = f"{ascii(written[before])[:60]} and {ascii(written[number])[:60]}"
    return f"class {name!r} twice: {spelt} (numbers {before} and {number}) are the same name"
