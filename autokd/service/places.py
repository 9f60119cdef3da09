"""Where home and data are on this machine is nobody's business: what is shown says it in other words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypeVar, cast

_Plain = TypeVar("_Plain")


def without_place(text: str, home: Path, data_root: Path | None = None) -> str:
    """Return text without where the home and the data root are; paths of data start from the data root."""
    # What is in a home comes first.
    if data_root is not None:
        for place in _written(data_root):
            text = text.replace(f"{place}/", "").replace(place, "the data root")
    for place in _written(home):
        text = text.replace(place, "the home")
    return text


def plain_without_place(value: _Plain, home: Path, data_root: Path | None = None) -> _Plain:
    """Return plain values without where the home and the data root are."""
    text = json.dumps(value, ensure_ascii=False)
    return cast("_Plain", json.loads(without_place(text, home, data_root)))


def _written(folder: Path) -> list[str]:
    """Return how a folder may be written, the longest first: one may begin with another."""
    places = {str(folder.absolute()), str(folder.resolve()), str(folder)}
    return sorted((place for place in places if len(place) > 1 and "/" in place), key=len, reverse=True)
