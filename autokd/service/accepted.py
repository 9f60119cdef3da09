"""What a client accepts: the format that its header `Accept` prefers among those that there are."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

_QUALITY: Final = re.compile(r"q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)", re.ASCII | re.IGNORECASE)


def preferred(accept: str | None, offered: Iterable[str]) -> str | None:
    """Return the media type that a client prefers, of equal ones the first; None if it takes none.

    Args:
        accept: Value of the header; None or empty for any.
        offered: Media types without parameters.
    """
    asked = [_part(part) for part in (accept or "*/*").split(",") if part.strip()]
    best, most = None, 0.0
    for media_type in offered:
        quality = _quality(media_type, asked)
        if quality > most:
            best, most = media_type, quality
    return best


def _part(part: str) -> tuple[str, float]:
    media_type, *parameters = (piece.strip() for piece in part.split(";"))
    qualities = [match for parameter in parameters if (match := _QUALITY.fullmatch(parameter))]
    return media_type.lower(), float(qualities[0][1]) if qualities else 1.0


def _quality(media_type: str, asked: list[tuple[str, float]]) -> float:
    """Return the weight of the most specific range that holds a media type; 0 if none does."""
    qualities = dict(reversed(asked))
    ranges = (media_type, f"{media_type.partition('/')[0]}/*", "*/*")
    return next((qualities[media_range] for media_range in ranges if media_range in qualities), 0.0)
