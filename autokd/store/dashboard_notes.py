"""Note and figures of a judged study, in the system attributes that Optuna Dashboard shows.

The attributes are those of `optuna_dashboard.save_note` and `save_plotly_graph_object` (0.21), and tests read
them with the dashboard itself. These functions are not called here, since importing them takes 1.4 s of CPU
time, and they write a figure in pieces of 2 KB, changed or not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import count, takewhile
from typing import Any, Final

from optuna.storages import BaseStorage

from autokd.core.records import Presentation

YOURS: Final = "\n\n---\n\n*autokd writes what stands above this line; what you write below it stays.*\n"
"""Separator between autokd's note and what people add to it in the dashboard."""
_MARK: Final = "autokd:presented"
_UNFINISHED: Final = ""
_VERSION: Final = "dashboard:note_ver"
_NOTE: Final = "dashboard:note_str:"
_FIGURE: Final = "dashboard:plot_data:"
_PIECE: Final = 5_000
"""Characters in one attribute: MySQL's TEXT ends at 64 KB, and JSON takes up to 12 bytes a character."""


def mark_of(storage: BaseStorage, study: int) -> str | None:
    """Return the mark of what is shown; None if nothing is, or if writing it was interrupted."""
    return storage.get_study_system_attrs(study).get(_MARK) or None


def publish(storage: BaseStorage, study: int, presentation: Presentation, mark: str) -> None:
    """Write what differs of note and figures; each piece is a transaction of its own.

    After a kill in between, a figure may be incomplete until it is written again.

    Args:
        study: Optuna's id of the study.
    """
    present = storage.get_study_system_attrs(study)
    interrupted = present.get(_MARK) == _UNFINISHED
    if not interrupted:
        storage.set_study_system_attr(study, _MARK, _UNFINISHED)
    stored = "".join(present[key] for key in _keys(_NOTE, present))
    _, separator, added = stored.partition(YOURS)
    # A note without separator was written by people before autokd's first, unless ours was interrupted.
    note = presentation.note + YOURS + (added if separator or interrupted else stored)
    if note != stored:
        # The dashboard refuses to save a page that was opened with an older version.
        storage.set_study_system_attr(study, _VERSION, present.get(_VERSION, 0) + 1)
    texts = {_NOTE: note, **{f"{_FIGURE}{name}:": text for name, text in presentation.figures.items()}}
    for prefix, text in texts.items():
        for key, piece in _pieces(present, prefix, text):
            if present.get(key) != piece:
                storage.set_study_system_attr(study, key, piece)
    storage.set_study_system_attr(study, _MARK, mark)


def _pieces(attributes: Mapping[str, Any], prefix: str, text: str) -> Iterator[tuple[str, str]]:
    """Yield the attributes of a text; further ones of a longer text become empty: none can be removed."""
    pieces = max(-(-len(text) // _PIECE), len(list(_keys(prefix, attributes))))
    for place in range(pieces):
        yield f"{prefix}{place}", text[place * _PIECE : (place + 1) * _PIECE]


def _keys(prefix: str, attributes: Mapping[str, Any]) -> Iterator[str]:
    return takewhile(attributes.__contains__, (f"{prefix}{place}" for place in count()))
