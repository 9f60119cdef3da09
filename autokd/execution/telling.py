"""Lets others know how a driver gets on: what `autokd status` reads in another terminal."""

from __future__ import annotations

import math
from collections.abc import Callable
from time import monotonic
from typing import Final

from autokd.search.progress import Progress
from autokd.store import Store

_SECONDS: Final = 5.0
"""Between two tellings; each is one small transaction."""


def telling(
    store: Store, listen: Callable[[Progress], None], *, seconds: float = _SECONDS
) -> Callable[[Progress], None]:
    """A listener that passes on all that it hears, and tells the store of it now and then."""
    told = -math.inf

    def hear(progress: Progress) -> None:
        nonlocal told
        if monotonic() - told >= seconds:
            told = monotonic()
            store.heartbeat(
                {
                    "ended": progress.ended,
                    "left": progress.left,
                    "per_second": progress.per_second,
                    "seconds_left": progress.seconds_left,
                }
            )
        listen(progress)

    return hear
