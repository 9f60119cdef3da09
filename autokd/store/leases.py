"""Leases: at most one driver at a time works on a study, whatever has happened to the ones before.

A driver is a row that it renews; a lease is a row that names a driver. So one renewal serves any number of
studies, and taking over removes the former owner's row: it then owns nothing, also of what nobody has taken
yet. All times are the database's, in seconds since 1970.
"""

from __future__ import annotations

import json
import os
import secrets
import threading
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self, final

from sqlalchemy import Connection, Engine, Row, delete, insert, select, update
from sqlalchemy.engine import URL
from sqlalchemy.exc import IntegrityError

from autokd.errors import LeaseLost, PairBusy, StoreError
from autokd.store.db_clock import Now
from autokd.store.db_errors import translate_errors
from autokd.store.fencing import Fence
from autokd.store.process import Process
from autokd.store.tables import DriverRow, LeaseRow
from autokd.store.validation import validated

_SECONDS: Final = 120.0
_BEATS: Final = 4
"""Renewals within the time of a lease, so that one or two may fail."""


def lease_seconds() -> float:
    """How long a driver may be silent before others take over; `AUTOKD_LEASE_SECONDS` changes it."""
    return float(os.environ.get("AUTOKD_LEASE_SECONDS", _SECONDS))


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverFacts:
    """A driver that has studies.

    Attributes:
        owner: Its user, machine and process, for people.
        since: When it took them, in seconds since 1970.
        alive: As far as can be told: it is not known to be gone, and its lease has not expired.
        words: What it last told of how it gets on; empty if it has told nothing.
        age: How long ago that was, in seconds.
    """

    owner: str
    since: float
    alive: bool
    words: Mapping[str, Any]
    age: float


@final
class Lease:
    """The right to write to some studies, renewed by a thread until it is released or lost.

    Attributes:
        studies: All of them, or none: losing one is losing all.
        fences: By study, a number that grows with each change of owner.
        seconds: From a renewal until others may take over.
    """

    def __init__(
        self, engine: Engine, url: URL, fence: Fence, *, token: str, fences: Mapping[str, int], seconds: float
    ) -> None:
        """Use `Store.acquire`."""
        self._engine, self._url, self._fence, self._token = engine, url, fence, token
        self.studies, self.fences, self.seconds = tuple(fences), fences, seconds
        self._over = threading.Event()
        self._heart = threading.Thread(target=self._beat, name="autokd-lease", daemon=True)
        fence.add(token)
        self._heart.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    @property
    def lost(self) -> bool:
        """Somebody is known to have taken over: nothing is written through this store any more."""
        return self._fence.shut

    @property
    def held(self) -> bool:
        """Whether it has not been released; it may have been lost."""
        return not self._over.is_set()

    def renew(self) -> None:
        """Hold it for another `seconds`, also if it had expired and nobody took it.

        Raises:
            LeaseLost: If somebody did.
            StoreUnreachable: If the database does not answer.
        """
        self._change(expires=Now() + self.seconds)

    def heartbeat(self, status: Mapping[str, Any]) -> None:
        """Let others know how the driver gets on: small JSON values, in place of what it told before.

        Raises:
            LeaseLost: If somebody has taken over.
            StoreUnreachable: If the database does not answer.
        """
        self._change(words=json.dumps(dict(status)), told=Now())

    def release(self) -> None:
        """Give it back, so that nobody has to wait; nothing happens if it was given back or lost before.

        A database that does not answer is no error: the lease expires, or is seen to be a gone process's.
        """
        if self._over.is_set():
            return
        self._over.set()
        self._heart.join()
        if self.lost:
            return
        row = delete(DriverRow).where(DriverRow.token == self._token)
        with suppress(StoreError), translate_errors(self._url), self._engine.begin() as connection:
            self._fence.remove(self._token)
            if connection.execute(row).rowcount == 0:
                self._fence.shut = True

    def _change(self, **values: object) -> None:
        """Set columns of the driver's own row."""
        row = update(DriverRow).where(DriverRow.token == self._token)
        with translate_errors(self._url), self._engine.begin() as connection:
            # Where the row is gone this changes nothing, and the fence refuses the commit.
            connection.execute(row.values(**values))

    def _beat(self) -> None:
        while not self._over.wait(self.seconds / _BEATS):
            try:
                self.renew()
            except LeaseLost:
                return
            except StoreError:
                continue  # The database is away or full; who writes next will say so.


def acquire(engine: Engine, url: URL, fence: Fence, studies: Collection[str], *, seconds: float) -> Lease:
    """Take all of the studies, or none; `Store.acquire` says more.

    Raises:
        PairBusy: If a driver that is alive has one of them.
    """
    wanted = sorted(set(studies))
    token = secrets.token_hex(16)
    # Asked before anything is locked, too: the answer must not wait for a writer that is stuck.
    with engine.connect() as connection:
        _require_free(connection, wanted)
    _make_rows(engine, wanted)
    leases = update(LeaseRow).where(LeaseRow.study.in_(wanted))
    with engine.begin() as connection:
        # Locks: whoever wants one of these studies, too, waits for the end of this transaction.
        connection.execute(leases.values(fence=LeaseRow.fence + 1))
        former = _require_free(connection, wanted, lock=True)
        connection.execute(delete(DriverRow).where(DriverRow.token.in_(former)))
        connection.execute(
            insert(DriverRow).values(
                token=token, process=Process.current().to_text(), since=Now(), expires=Now() + seconds
            )
        )
        connection.execute(leases.values(token=token))
        taken = select(LeaseRow).where(LeaseRow.token == token).order_by(LeaseRow.study)
        fences = {row.study: row.fence for row in connection.execute(taken)}
    return Lease(engine, url, fence, token=token, fences=fences, seconds=seconds)


_VALID: Final = (DriverRow.expires > Now()).label("valid")


def _holder(row: Row[*tuple[Any, ...]]) -> tuple[Process, bool]:
    """Who a driver is, and whether it is alive, as far as can be told; of a row with `_VALID`."""
    process = Process.from_text(row.process)
    return process, bool(row.valid) and not process.gone


def drivers(engine: Engine, studies: Collection[str]) -> tuple[DriverFacts, ...]:
    """Who has any of the studies, the first first; also those that are gone and have left them behind."""
    query = (
        select(DriverRow, _VALID, (Now() - DriverRow.told).label("age"))
        .where(DriverRow.token.in_(select(LeaseRow.token).where(LeaseRow.study.in_(studies))))
        .order_by(DriverRow.since)
    )
    found = []
    with engine.connect() as connection, validated("its drivers"):
        for row in connection.execute(query):
            process, alive = _holder(row)
            found.append(
                DriverFacts(
                    owner=str(process),
                    since=row.since,
                    alive=alive,
                    words=json.loads(row.words) if row.words else {},
                    age=row.age or 0.0,
                )
            )
    return tuple(found)


def _require_free(connection: Connection, studies: Sequence[str], *, lock: bool = False) -> set[str]:
    """Tokens of the drivers that had the studies and are to be removed.

    Raises:
        PairBusy: If one of them is alive.
    """
    query = (
        select(LeaseRow.study, DriverRow, _VALID)
        .join(DriverRow, DriverRow.token == LeaseRow.token)
        .where(LeaseRow.study.in_(studies))
        .order_by(LeaseRow.study)
    )
    former = set()
    for row in connection.execute(query.with_for_update() if lock else query):
        with validated(f"who has study {row.study!r}"):
            holder, alive = _holder(row)
            if alive:
                raise PairBusy(study=row.study, owner=str(holder), since=row.since, until=row.expires)
        former.add(row.token)
    return former


def _make_rows(engine: Engine, studies: Sequence[str]) -> None:
    """See to it that each study has a row that can be locked."""
    while True:
        with engine.begin() as connection:
            present = connection.scalars(select(LeaseRow.study).where(LeaseRow.study.in_(studies)))
            missing = sorted(set(studies) - set(present))
        if not missing:
            return
        # Another driver may be making the same ones.
        with suppress(IntegrityError), engine.begin() as connection:
            connection.execute(insert(LeaseRow), [{"study": study, "fence": 0} for study in missing])
