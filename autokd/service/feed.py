"""Events of jobs for all who listen: one task looks for all of them, so listeners cost the store nothing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from time import monotonic
from typing import Final, final

from starlette.concurrency import run_in_threadpool

from autokd.core.job import JobEvent
from autokd.errors import AutokdError
from autokd.service.opened_store import OpenedStore
from autokd.store.jobs import Jobs

_LOOK_SECONDS: Final = 0.5
"""Time between two looks whether jobs that somebody listens to have new events."""
_QUIET_SECONDS: Final = 15.0
"""So long may nothing be sent; proxies take a connection that is silent for longer for a dead one."""
_log = logging.getLogger(__name__)


@final
class Feed:
    """Hands the events of jobs to listeners in the order of their numbers.

    Args:
        look_seconds: Time between two looks.
    """

    def __init__(self, opened: OpenedStore, *, look_seconds: float = _LOOK_SECONDS) -> None:
        self._opened, self._look = opened, look_seconds
        self._listeners: dict[int, int] = {}
        self._heads: dict[int, tuple[int, bool]] = {}
        self._news: asyncio.Event | None = None
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether streams have to end, since the server does."""
        return self._closed

    def close(self) -> None:
        """End all streams; clients come back to the next server with `Last-Event-ID`. Called in the loop."""
        self._closed = True
        if self._news is not None:
            self._news.set()

    async def listen(self, id: int, *, after: int) -> AsyncGenerator[JobEvent | None, None]:
        """Yield the events of a job with larger numbers than `after` until it is over.

        None is yielded where there was nothing for a while.

        Raises:
            NoSuchJob: If there is none of that number.
        """
        self._listeners[id] = self._listeners.get(id, 0) + 1
        try:
            quiet = monotonic()
            head, over = -1, False
            while not self._closed:
                if head != after:
                    # What is over is looked up before its events, so that none comes after them.
                    heads = await run_in_threadpool(self._read_heads, [id])
                    over = id not in heads or heads[id][1]
                    while events := await run_in_threadpool(self._events, id, after):
                        for event in events:
                            after, quiet = event.number, monotonic()
                            yield event
                    head = after
                if over:
                    return
                news = self._watch()
                if self._heads.get(id, (0, False))[0] > after:
                    head = -1
                    continue
                try:
                    await asyncio.wait_for(news.wait(), max(0.1, quiet + _QUIET_SECONDS - monotonic()))
                except TimeoutError:
                    quiet = monotonic()
                    yield None
        finally:
            self._listeners[id] -= 1
            if not self._listeners[id]:
                del self._listeners[id]
                self._heads.pop(id, None)

    def _watch(self) -> asyncio.Event:
        """Return what is set at the next news, and see that somebody looks."""
        looks = self._task is not None and not self._task.done()
        if self._news is None or not looks:
            self._news = asyncio.Event()
        if not looks:
            self._task = asyncio.get_running_loop().create_task(self._run())
        return self._news

    async def _run(self) -> None:
        while self._listeners and not self._closed:
            await asyncio.sleep(self._look)
            try:
                heads = await run_in_threadpool(self._read_heads, list(self._listeners))
            except AutokdError as error:
                _log.warning("events of jobs: %s", error)
                continue
            if heads != self._heads:
                self._heads = heads
                news, self._news = self._news, None
                if news is not None:
                    news.set()

    def _read_heads(self, ids: list[int]) -> dict[int, tuple[int, bool]]:
        heads = Jobs(self._opened.store).heads(ids)
        return {id: (number, state.is_over) for id, (number, state) in heads.items()}

    def _events(self, id: int, after: int) -> tuple[JobEvent, ...]:
        return Jobs(self._opened.store).events(id, after=after)
