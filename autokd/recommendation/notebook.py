"""How results look where Python shows them: in one short line, and as HTML in a notebook."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING

from autokd.text.escaping import one_line

if TYPE_CHECKING:
    from autokd.core.setting import Setting
    from autokd.statistics.paired import Interval


def short(pair: str, verdict: str, setting: Setting | None, gain: Interval | None) -> str:
    """Return a recommendation in one line; its `to_json` has all of it."""
    parts = [verdict]
    if setting is not None:
        parts.append(str(setting))
    if gain is not None:
        parts.append(f"gain {figure(gain)} pp on test")
    return one_line(f"<Recommendation {pair}: {', '.join(parts)}>")


def as_html(advice: str, compared: Iterable[tuple[str, Interval, Interval]]) -> str:
    """Return an advice, and the gains that it is compared with, as a table."""
    rows = [(words, figure(test), figure(confirmation)) for words, test, confirmation in compared]
    heads = ("gain of the student, pp", "on test", "on confirmation")
    return f"<p><b>{_text(advice)}</b></p>{html_table(heads, rows)}"


def html_table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table of HTML, its texts escaped."""
    head = "".join(f"<th>{_text(text)}</th>" for text in heads)
    body = "".join(f"<tr>{''.join(f'<td>{_text(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def figure(gain: Interval) -> str:
    """Return a gain with its interval."""
    return f"{gain.mean:+.1f} [{gain.low:+.1f}, {gain.high:+.1f}]"


def _text(value: object) -> str:
    return escape(one_line(str(value)))
