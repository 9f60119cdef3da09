"""Escapes text of others for where it goes: a line, a terminal, a spreadsheet, Markdown, a figure, a shell.

A name of a class, a file or a participant, and the words of somebody's error, may hold anything. HTML is
escaped by Jinja; `finalize` spells out what is invisible in it.
"""

from __future__ import annotations

import json
import re
import shlex
import unicodedata
from collections.abc import Mapping
from html import escape
from typing import Any, Final, TypeVar

_V = TypeVar("_V")

_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_FORMULA: Final = frozenset("=+-@")
"""What a spreadsheet takes as the beginning of a formula, in full width, too."""
_MARKUP: Final = re.compile(r"[\\`*_{}\[\]<>#$|~&!@]|:(?=//)|(?<=www)\.", re.IGNORECASE)
"""What Markdown may interpret: its own marks, HTML, formulas, mentions and bare addresses."""


def one_line(text: str) -> str:
    """Return text with line ends, control codes and marks that turn the direction of writing spelt out."""
    return text if text.isprintable() else "".join(map(_spelt, text))


def invisible_spelt_out(text: str) -> str:
    """Return text as `one_line` does, but with its line ends and tabs."""
    return text if text.isprintable() else "".join(c if c in "\n\t" else _spelt(c) for c in text)


def csv_row(row: Mapping[str, _V]) -> dict[str, _V | str]:
    """Return a row of CSV whose texts no spreadsheet executes; numbers stay numbers.

    A text that begins as a formula does gets an apostrophe before it, as typed into a spreadsheet.
    """
    return {name: csv_text(value) if isinstance(value, str) else value for name, value in row.items()}


def csv_text(text: str) -> str:
    """Return the text of one cell; see `csv_row`."""
    begin = unicodedata.normalize("NFKC", text.lstrip()[:1])
    starts = bool(begin) and begin[0] in _FORMULA
    written = one_line(text)
    return f"'{written}" if starts and not _NUMBER.fullmatch(text) else written


def markdown(text: object) -> str:
    """Return text as a part of a line of Markdown, e.g. a cell of a table."""
    return _MARKUP.sub(r"\\\g<0>", one_line(str(text)))


def markdown_code(text: object) -> str:
    """Return text as a code span of Markdown, outside of tables."""
    written = one_line(str(text))
    fence = "`" * (1 + max(map(len, re.findall("`+", written)), default=0))
    return f"{fence}{written}{fence}" if len(fence) == 1 else f"{fence} {written} {fence}"


def python_text(text: object) -> str:
    """Return a string as Python writes it, in double quotes where it can."""
    written = repr(str(text))
    return f'"{written[1:-1]}"' if written[0] == "'" and '"' not in written else written


def shell_word(text: str) -> str:
    """Return a word of a command line; of a line end or control code in it, the form `$'\\n'`."""
    if text.isprintable():
        return shlex.quote(text)
    spelt = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"$'{''.join(char if char.isprintable() else _as_bytes(char) for char in spelt)}'"


def figure_text(text: str) -> str:
    """Return a label of a figure, in which plotly interprets tags as markup and `$` as a formula."""
    return escape(one_line(text), quote=False).replace("$", "&#36;")


def json_text(content: object) -> str:
    """Return JSON in which everything that a terminal might act on is written as `\\u` and a number."""
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    return "".join(c if c == "\n" or _is_visible(c) else json.dumps(c)[1:-1] for c in text)


def finalize(value: Any) -> Any:
    """Return a value as a template of HTML shows it; what is markup already is left alone."""
    return invisible_spelt_out(value) if type(value) is str else value


def _as_bytes(char: str) -> str:
    """Return a character as the bytes that it has in a file's name; half a pair of UTF-16 has three."""
    try:
        spelt = char.encode(errors="surrogateescape")
    except UnicodeEncodeError:  # It stands for no byte of a name, so no file has it.
        spelt = char.encode(errors="surrogatepass")
    return "".join(f"\\x{byte:02x}" for byte in spelt)


def _spelt(char: str) -> str:
    return char if _is_visible(char) else ascii(char)[1:-1]


def _is_visible(char: str) -> bool:
    # Spaces of other widths count as visible, as in Japanese.
    return char.isprintable() or unicodedata.category(char) == "Zs"
