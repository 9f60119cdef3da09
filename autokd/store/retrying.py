"""Wait for a database that is away, and repeat the call that failed: every call of a store goes through here.

Nothing is lost, since no decision rests on what is not stored; nothing is stored twice, since what may have
been written already is read back before it is written again.

Only an outage is waited for. A full disk, a read-only database or tables of another version do not mend
themselves: those errors are raised at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Final, ParamSpec, TypeVar, final

from sqlalchemy.engine import URL
from tenacity import RetryCallState, Retrying, retry_if_exception_type, wait_exponential

from autokd.errors import StoreError, StoreUnreachable
from autokd.store.db_errors import translate_errors
from autokd.store.leases import Lease

_P = ParamSpec("_P")
_T = TypeVar("_T")

_FIRST_WAIT: Final = 0.25
_LONGEST_WAIT: Final = 15.0
"""Seconds between two attempts: an attempt costs next to nothing, while all workers wait for it."""
_MOMENT_WAIT: Final = 1.0
"""Seconds between two attempts if what went wrong may be over at once."""
_MOMENT_SECONDS: Final = 20.0
"""For this long, a call is repeated without a lease if what went wrong may be over at once."""
_LAST_TRIES: Final = 3
"""The number of tries after `give_up`."""
_POLL_SECONDS: Final = 0.1
"""Longest sleep in one piece, so that `give_up` takes effect at once."""


@dataclass(frozen=True, slots=True)
class Outage:
    """The database is away, and the driver waits for it.

    Attributes:
        since: Time of the first failed attempt, by this machine's clock.
        tries: Number of failed attempts since then.
        reason: Error message of the last attempt; it holds no password.
    """

    since: datetime
    tries: int
    reason: str


@final
class OutageRetry:
    """Runs calls to the database, and waits out outages while a lease is held.

    Without a lease it raises the first failure. Only a cut connection or a transaction that the server has
    undone is then tried again, for some seconds.

    Args:
        renew: Ends what the failed call may have left open, such as a session with a transaction.
        on_error: Called with a lease when a call has failed; it may raise a better error.

    Attributes:
        leases: All leases that were acquired.
        on_outage: Called after each failed attempt, and with None at the end of an outage.
    """

    def __init__(
        self,
        url: URL,
        *,
        renew: Callable[[], None] = lambda: None,
        on_error: Callable[[], None] = lambda: None,
    ) -> None:
        self._url, self._renew, self._on_error = url, renew, on_error
        self.leases: list[Lease] = []
        self.on_outage: Callable[[Outage | None], None] = lambda outage: None
        self._given_up = False

    @property
    def held(self) -> list[Lease]:
        """The leases that have not been released."""
        return [lease for lease in self.leases if lease.held]

    def give_up(self) -> None:
        """End waiting, now and later; a signal handler may call this in the middle of a wait."""
        # NOTE: not an Event, whose lock the interrupted wait may hold.
        self._given_up = True

    def run(self, operation: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Return what an operation returns that may be repeated as it is; see `__call__`."""
        return self(partial(operation, *args, **kwargs))

    def __call__(self, call: Callable[[], _T], *, again: Callable[[], _T] | None = None) -> _T:
        """Return what `call` returns.

        After an outage the leases are renewed first, which raises LeaseLost if they were taken over.

        Args:
            again: Replaces `call` after a failure, when it is unknown whether `call` has written.
        """
        since: datetime | None = None
        failing: float | None = None

        def attempt() -> _T:
            with translate_errors(self._url):
                if since is None:
                    return call()
                for lease in self.held:
                    # NOTE: also waits for a commit of ours that the server may still be at (see `fencing`).
                    lease.renew()
                return (again or call)()

        def on_failure(state: RetryCallState) -> None:
            nonlocal since
            since = since or datetime.now(UTC)
            reason = state.outcome.exception() if state.outcome else None
            with suppress(Exception):  # It fails like the call did, and the next attempt begins anew anyway.
                self._renew()
            self.on_outage(Outage(since, state.attempt_number, str(reason)))

        def over(state: RetryCallState) -> bool:
            nonlocal failing
            if self._given_up:
                return not _is_momentary(state) or state.attempt_number >= _LAST_TRIES
            # Since the first failure: on a machine that is busy, the call itself may have taken longer.
            failing = failing or time.monotonic()
            in_time = time.monotonic() - failing < _MOMENT_SECONDS
            return not (self.held or (in_time and _is_momentary(state)))

        retrying = Retrying(
            retry=retry_if_exception_type(StoreUnreachable),
            stop=over,
            wait=_wait,
            sleep=self._sleep,
            before_sleep=on_failure,
            reraise=True,
        )

        def watched() -> _T:
            try:
                return attempt()
            except StoreError:
                if self.held:
                    self._on_error()
                raise

        try:
            return retrying(watched)
        finally:
            if since is not None:
                self.on_outage(None)

    def _sleep(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not self._given_up and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, _POLL_SECONDS))


def _is_momentary(state: RetryCallState) -> bool:
    error = state.outcome.exception() if state.outcome else None
    return isinstance(error, StoreUnreachable) and error.momentary


def _wait(state: RetryCallState) -> float:
    longest = _MOMENT_WAIT if _is_momentary(state) else _LONGEST_WAIT
    return wait_exponential(multiplier=_FIRST_WAIT, max=longest)(state)
