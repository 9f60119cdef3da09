"""What people type for a pair, for several pairs, and what they may have meant by a text that is neither."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

MARKS: Final = ("->", "→", ",", ">", ":")
"""What may stand between teacher and student."""
_MARK: Final = re.compile("|".join(map(re.escape, MARKS)))
_BLANKS: Final = re.compile(rf"\s*({_MARK.pattern})\s*")
_TWO: Final = re.compile(r"\s*(\d{1,9})\s*([^\d,]{1,6}?)\s*(\d{1,9})\s*", re.ASCII)
_MANY: Final = re.compile(r"\d{1,9}(?:,\d{1,9}){3,}", re.ASCII)
_IN_BRACKETS: Final = re.compile(r"[(\[{]\s*(\d{1,9})\s*,\s*(\d{1,9})\s*[)\]}]", re.ASCII)
_GROUP: Final = re.compile(r"\{?\s*(\d[\d,\s]*?)\s*\}?\s*(?:->|→|>)\s*(\d{1,9})", re.ASCII)


def splits(text: str) -> Iterator[tuple[str, str]]:
    """Yield teacher and student for each mark in a text: in `a:b,c` that may be either of two."""
    for mark in _MARK.finditer(text):
        yield text[: mark.start()].strip(), text[mark.end() :].strip()


def words(text: str) -> list[str]:
    """Return the pairs of a list such as `4,9 9,4`, as texts; the text itself if it is no list."""
    parts = _BLANKS.sub(r"\1", text).split()
    return parts if len(parts) > 1 and all(map(_MARK.search, parts)) else [text]


def hint(text: str) -> str:
    """Return what somebody may have meant who typed a text that is no pair, as the end of a sentence."""
    if is_cut_by_a_shell(text):
        return f"; an arrow needs quotes, as in '{text}>9', since to a shell > means a file to write to"
    if (two := _TWO.fullmatch(text)) is not None:
        sides = (two[3], two[1]) if "<" in two[2] or "←" in two[2] else (two[1], two[3])
        return f"; did you mean {','.join(sides)}?"
    if (listed := _IN_BRACKETS.fullmatch(text.strip())) is not None:
        return f"; did you mean {listed[1]},{listed[2]}?"
    if _MANY.fullmatch(text):
        numbers = text.split(",")
        if len(numbers) % 2 == 0:
            some = " ".join(",".join(numbers[at : at + 2]) for at in range(0, len(numbers), 2))
            return f"; for several pairs, --pairs {some}"
    if (group := _GROUP.fullmatch(text.strip())) is not None and "," in group[1]:
        teachers = ",".join(group[1].replace(",", " ").split())
        return f"; for several teachers at once, --student {group[2]} --teachers {teachers}"
    return ""


def is_cut_by_a_shell(text: str) -> bool:
    """Return whether a text is what is left of `4->9` where a shell took `>9` for a file to write to."""
    return len(text) > 1 and text.endswith("-") and _MARK.search(text) is None
