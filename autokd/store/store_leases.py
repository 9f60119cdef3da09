"""The leases of an open store: who drives which studies, and who is asked to stop."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from typing import Any, final

from sqlalchemy.engine import URL, Engine

from autokd.errors import StoreUnreachable
from autokd.store import leases
from autokd.store.fencing import Fence
from autokd.store.retrying import Outage, OutageRetry


@final
class StoreLeases:
    """Who drives which studies, in one database; each store has one of these.

    Args:
        fence: Stops the store's commits once a lease is lost.
        retry: Waits for the database as long as a lease is held.
        evict: Drops the store's copy of a study.
    """

    def __init__(
        self, url: URL, engine: Engine, fence: Fence, retry: OutageRetry, *, evict: Callable[[str], None]
    ) -> None:
        self._url, self._engine, self._fence = url, engine, fence
        self._retry, self._evict = retry, evict

    def acquire(
        self,
        studies: Collection[str],
        *,
        seconds: float | None = None,
        on_outage: Callable[[Outage | None], None] = lambda outage: None,
    ) -> leases.Lease:
        """Become the only driver of all of the studies, or of none; they need not exist yet.

        The lease is renewed until it is released or the store is closed. It is taken over from a driver that
        has been silent for longer than its lease, and at once from one that ran on this machine and is gone.
        While a lease is held, the store waits out outages; once it is lost, every commit raises `LeaseLost`.

        Args:
            seconds: How long this driver may be silent; by default two minutes.
            on_outage: Called after each failed attempt to reach the database, and with None when it is back.

        Raises:
            PairBusy: If a driver that is alive has one of them; this does not wait for any writer.
        """
        lease = self._retry.run(
            leases.acquire,
            self._engine,
            self._url,
            self._fence,
            studies,
            seconds=leases.lease_seconds() if seconds is None else seconds,
            token=leases.new_token(),
        )
        for study in studies:  # Another driver may have written since they were read.
            self._evict(study)
        self._retry.leases.append(lease)
        self._retry.on_outage = on_outage
        return lease

    def heartbeat(self, status: Mapping[str, Any]) -> None:
        """Publish the progress of this driver, small JSON values; during an outage nothing happens."""
        with suppress(StoreUnreachable):
            for lease in self._retry.held:
                lease.heartbeat(status)

    def give_up(self) -> None:
        """End waiting for the database, now and later; a signal handler may call this."""
        self._retry.give_up()

    @property
    def asked_to_stop(self) -> str:
        """Who has asked this driver to stop; empty if nobody has. This is known a second or two later."""
        return next((lease.asked_to_stop for lease in self._retry.held if lease.asked_to_stop), "")

    def drivers(self, studies: Collection[str] | None = None) -> tuple[leases.DriverFacts, ...]:
        """Return the drivers of any of the studies, or all, oldest first; also those that died as drivers."""
        return self._retry.run(leases.drivers, self._engine, studies)

    def ask_to_stop(self, tokens: Collection[str]) -> None:
        """Ask drivers to stop, as Ctrl-C would; one that has ended in the meantime is left out."""
        self._retry.run(leases.ask_to_stop, self._engine, tokens)

    def release(self, tokens: Collection[str]) -> None:
        """Take all leases from drivers, dead or alive; one that is alive writes nothing more."""
        self._retry.run(leases.release, self._engine, tokens)
