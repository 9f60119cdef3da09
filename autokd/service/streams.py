"""Streams of events that are open: how many each client may have, and that they end with its token."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from time import monotonic
from typing import Final, final

from autokd.service.problems import Problem

_MOST: Final = 100
"""Streams that one token, or one address without a token, may have open."""
_MOST_OF_ALL: Final = 300
"""Streams that may be open at once; the server has connections left for those who ask for something else."""
_LOOK_SECONDS: Final = 5.0
"""Time after which it is looked up whether who listens may still read."""
_LATER: Final = "30"


@final
class Streams:
    """Counts open streams; all calls come from the loop."""

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()

    def check(self, key: str) -> None:
        """Refuse a stream more than there may be; see `bounded`.

        Raises:
            Problem: If there are too many.
        """
        if self._open[key] >= _MOST or self._open.total() >= _MOST_OF_ALL:
            problem = "too many streams of events are open"
            way_out = "close some, or ask for the events without a stream"
            raise Problem(429, "streams", problem, way_out=way_out, headers={"Retry-After": _LATER})

    async def bounded(
        self, key: str, stream: AsyncGenerator[bytes, None], may_read: Callable[[], Awaitable[bool]]
    ) -> AsyncGenerator[bytes, None]:
        """Yield what a stream yields, as long as who listens may read.

        Args:
            key: Who listens.
            stream: It yields something now and then, also if there is nothing new.
        """
        self._open[key] += 1
        looked = monotonic()
        try:
            async with aclosing(stream):
                async for piece in stream:
                    if monotonic() - looked >= _LOOK_SECONDS:
                        if not await may_read():
                            return
                        looked = monotonic()
                    yield piece
        finally:
            self._open[key] -= 1
            if not self._open[key]:
                del self._open[key]
