"""Tells open pages that something has changed: one look serves all who watch a study."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Final

from starlette.concurrency import run_in_threadpool

_LOOK_SECONDS: Final = 1.0
"""Time between two looks whether a study has changed."""
_QUIET_SECONDS: Final = 15.0
"""So long may nothing be sent; proxies take a connection that is silent for longer for a dead one."""
Versions = dict[str, str]


@dataclass(slots=True)
class _Watched:
    """A study that is watched: what it was when it was last looked at, and when that was."""

    versions: Versions = field(default_factory=dict)
    looked: float = -1e9
    watchers: int = 0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Watch:
    """Looks at studies that somebody watches.

    Args:
        look: Returns what tells the parts of a study's page, by name, from those of other times.
        look_seconds: Time between two looks.
    """

    def __init__(
        self, look: Callable[[str, str | None], Versions], look_seconds: float = _LOOK_SECONDS
    ) -> None:
        self._look, self._seconds = look, look_seconds
        self._watched: dict[tuple[str, str | None], _Watched] = {}

    async def events(
        self, name: str, space: str | None, *, closed: Callable[[], bool] = lambda: False
    ) -> AsyncGenerator[bytes, None]:
        """Yield server-sent events `changed` with all versions: at once, then whenever one changes.

        Args:
            closed: Whether the server ends.
        """
        watched = self._watched.setdefault((name, space), _Watched())
        watched.watchers += 1
        sent, last = Versions(), monotonic()
        try:
            while not closed():
                versions = await self._versions(watched, name, space)
                if versions != sent:
                    sent, last = versions, monotonic()
                    yield f"event: changed\ndata: {json.dumps(versions)}\n\n".encode()
                elif monotonic() - last > _QUIET_SECONDS:
                    last = monotonic()
                    yield b": quiet\n\n"
                await asyncio.sleep(self._seconds)
        finally:
            watched.watchers -= 1
            if not watched.watchers:
                self._watched.pop((name, space), None)

    async def _versions(self, watched: _Watched, name: str, space: str | None) -> Versions:
        async with watched.lock:
            if monotonic() - watched.looked >= self._seconds:
                watched.versions = await run_in_threadpool(self._look, name, space)
                watched.looked = monotonic()
            return watched.versions
