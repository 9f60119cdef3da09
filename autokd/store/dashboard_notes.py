"""What Optuna Dashboard shows of a judged study: note and figures, in the system attributes where it looks.

These are what `optuna_dashboard.save_note` and `save_plotly_graph_object` write (0.21), and tests read
them with the dashboard itself. Its functions are not called here: to import them takes the driver 1.4 s
of CPU time, for scikit-learn's forests among others, and they write a figure in pieces of 2 KB, changed
or not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any, Final

from optuna.storages import BaseStorage

from autokd.core.records import Presentation

YOURS: Final = "\n\n---\n\n*autokd writes what stands above this line; what you write below it stays.*\n"
"""Between autokd's note and whatever people add to it in the dashboard."""
_MARK: Final = "autokd:presented"
_UNFINISHED: Final = ""
_VERSION: Final = "dashboard:note_ver"
_NOTE: Final = "dashboard:note_str:"
_FIGURE: Final = "dashboard:plot_data:"
_PIECE: Final = 5_000
"""Characters in an attribute: MySQL's TEXT ends at 64 KB, and JSON takes up to twelve bytes for one."""


def mark_of(storage: BaseStorage, study: int) -> str | None:
    """Of what is shown; None if nothing is, and if writing it was cut off."""
    return storage.get_study_system_attrs(study).get(_MARK) or None


def publish(storage: BaseStorage, study: int, presentation: Presentation, mark: str) -> None:
    """Write note and figures in place of earlier ones, only what differs; each piece is a transaction.

    After a kill in between, a figure may be cut off until it is written again.

    Args:
        study: Optuna's number of it.
    """
    present = storage.get_study_system_attrs(study)
    cut_off = present.get(_MARK) == _UNFINISHED
    if not cut_off:
        storage.set_study_system_attr(study, _MARK, _UNFINISHED)
    found = _joined(present, _NOTE)
    note = presentation.note + YOURS + _added(found, cut_off=cut_off)
    if note != found:
        # A page that is open with an older version may not be saved over this one.
        storage.set_study_system_attr(study, _VERSION, present.get(_VERSION, 0) + 1)
    texts = {_NOTE: note, **{f"{_FIGURE}{name}:": text for name, text in presentation.figures.items()}}
    for prefix, text in texts.items():
        for key, piece in _pieces(present, prefix, text):
            if present.get(key) != piece:
                storage.set_study_system_attr(study, key, piece)
    storage.set_study_system_attr(study, _MARK, mark)


def _added(note: str, *, cut_off: bool) -> str:
    """What people have written: all of it, if it was there before autokd had anything to say."""
    _, line, below = note.partition(YOURS)
    return below if line or cut_off else note


def _joined(attributes: Mapping[str, Any], prefix: str) -> str:
    return "".join(attributes[key] for key in _keys(prefix, attributes))


def _pieces(attributes: Mapping[str, Any], prefix: str, text: str) -> Iterator[tuple[str, str]]:
    """A text by attributes; those that a longer one has left become empty, since none can be removed."""
    needed = -(-len(text) // _PIECE)
    for place in range(max(needed, len(list(_keys(prefix, attributes))))):
        yield f"{prefix}{place}", text[place * _PIECE : (place + 1) * _PIECE]


def _keys(prefix: str, attributes: Mapping[str, Any]) -> Iterator[str]:
    for place in count():
        if (key := f"{prefix}{place}") not in attributes:
            return
        yield key
