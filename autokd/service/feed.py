"""Events of jobs for all who listen: one task reads them for all, so listeners cost hardly more."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Final, final

from starlette.concurrency import run_in_threadpool

from autokd.core.job import JobEvent, JobState
from autokd.errors import AutokdError
from autokd.service.opened_store import OpenedStore

_LOOK_SECONDS: Final = 0.5
"""Time between two looks whether jobs that somebody listens to have new events."""
_QUIET_SECONDS: Final = 15.0
"""So long may nothing be sent; proxies take a connection that is silent for longer for a dead one."""
_MOST: Final = 200
"""Events of a job that are kept for those who listen; whoever is further behind reads the store."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known of a job that somebody listens to.

    Attributes:
        after: Number of the event after which all are in `events`.
        over: Whether the job is over, and so no event comes after these.
    """

    after: int
    events: tuple[JobEvent, ...]
    over: bool

    @property
    def head(self) -> int:
        return self.events[-1].number if self.events else self.after


@final
class Feed:
    """Hands the events of jobs to listeners in the order of their numbers.

    Args:
        look_seconds: Time between two looks.
    """

    def __init__(self, opened: OpenedStore, *, look_seconds: float = _LOOK_SECONDS) -> None:
        self._opened, self._look = opened, look_seconds
        self._listeners: dict[int, int] = {}
        self._known: dict[int, _Known] = {}
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
            while not self._closed:
                news = self._watch()
                known = self._known.get(id)
                if known is None or after < known.after:
                    known = await run_in_threadpool(self._read, id, after)
                for event in known.events:
                    if event.number > after:
                        after, quiet = event.number, monotonic()
                        yield event
                if known.over:
                    return
                try:
                    await asyncio.wait_for(news.wait(), max(0.1, quiet + _QUIET_SECONDS - monotonic()))
                except TimeoutError:
                    quiet = monotonic()
                    yield None
        finally:
            self._listeners[id] -= 1
            if not self._listeners[id]:
                del self._listeners[id]
                self._known.pop(id, None)

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
                jobs = {id: self._known.get(id) for id in self._listeners}
                known = await run_in_threadpool(self._look_at, jobs)
            except AutokdError as error:
                _log.warning("events of jobs: %s", error)
                continue
            known = {id: job for id, job in known.items() if id in self._listeners}
            if known != self._known:
                self._known = known
                news, self._news = self._news, None
                if news is not None:
                    news.set()

    def _look_at(self, jobs: Mapping[int, _Known | None]) -> dict[int, _Known]:
        """Return what is known of jobs by now."""
        known: dict[int, _Known] = {}
        # What is over is looked up before its events, so that none comes after them.
        heads = self._opened.jobs.heads(list(jobs))
        for id, before in jobs.items():
            number, state = heads.get(id, (0, JobState.FAILED))
            if before is None:
                known[id] = _Known(number, (), state.is_over)
                continue
            events = before.events
            if number > before.head:
                events = (*events, *self._events(id, before.head))
            dropped = max(0, len(events) - _MOST)
            after = events[dropped - 1].number if dropped else before.after
            known[id] = _Known(after, events[dropped:], state.is_over)
        return known

    def _read(self, id: int, after: int) -> _Known:
        """Return what the store has of a job after an event."""
        heads = self._opened.jobs.heads([id])
        return _Known(after, self._events(id, after), id not in heads or heads[id][1].is_over)

    def _events(self, id: int, after: int) -> tuple[JobEvent, ...]:
        events: list[JobEvent] = []
        while more := self._opened.jobs.events(id, after=events[-1].number if events else after):
            events += more
        return tuple(events)
