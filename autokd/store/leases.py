"""Leases: at most one driver at a time works on a study, even if an earlier driver crashed or was stopped.

A driver is a row that it renews; a lease is a row that names a driver. So one renewal serves any number of
studies. Taking over a study removes the former owner's row, and with it all leases of that owner. All times
are the database's, in seconds since 1970 in UTC: all machines share its clock, even if theirs are wrong.
"""

from __future__ import annotations

import json
import math
import os
import secrets
import threading
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from typing import Any, Final, final

from sqlalchemy import Connection, Engine, Row, delete, insert, select, update
from sqlalchemy.engine import URL
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import Double

from autokd.errors import InputError, LeaseLost, PairBusy, StoreError, StoreReplaced
from autokd.store.db_errors import translate_errors, validated
from autokd.store.fencing import Fence
from autokd.store.process import Process
from autokd.store.tables import DriverRow, LeaseRow
from autokd.text.quoting import quoted

_VARIABLE: Final = "AUTOKD_LEASE_SECONDS"
_SECONDS: Final = 120.0
_LEAST_SECONDS: Final = 0.1
_MOST_SECONDS: Final = 7 * 86400.0
_PIECE: Final = 1_000
"""Names in one statement: PostgreSQL takes 65,535 parameters, SQLite by default 32,766."""
_BEATS: Final = 4
"""Number of renewals within the time of a lease, so that one or two may fail."""
_LOOK_SECONDS: Final = 1.0
"""Time between two looks whether somebody has asked this driver to stop; each is one small query."""
_NOW: Final = {
    "sqlite": "((julianday('now') - 2440587.5) * 86400.0)",
    "postgresql": "CAST(EXTRACT(EPOCH FROM clock_timestamp()) AS DOUBLE PRECISION)",
    # NOTE: not UNIX_TIMESTAMP(NOW()): that goes through local time, where one hour of the year comes twice.
    "mysql": "(TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)) / 1e6)",
}


class Now(FunctionElement[float]):
    """Time of the database at which the expression is computed, not at which its transaction began."""

    type = Double()
    inherit_cache = True


@compiles(Now)
def _compile_now(element: Now, compiler: SQLCompiler, **options: Any) -> str:
    return _NOW[compiler.dialect.name]


def lease_seconds() -> float:
    """Return how long a driver may be silent before others take over; `AUTOKD_LEASE_SECONDS` changes it.

    Raises:
        InputError: If the variable is no number of seconds, or one for which nobody would wait.
    """
    written = os.environ.get(_VARIABLE, "").strip()
    if not written:
        return _SECONDS
    try:
        seconds = float(written)
    except ValueError:
        seconds = math.nan
    if not _LEAST_SECONDS <= seconds <= _MOST_SECONDS:
        limits = f"a number of seconds from {_LEAST_SECONDS:g} to {_MOST_SECONDS:g}"
        raise InputError(f"{_VARIABLE}: must be {limits}, not {quoted(written)}; unset it for {_SECONDS:g}")
    return seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverFacts:
    """A driver that holds leases.

    Attributes:
        owner: User, machine and process, for people.
        since: Time at which it acquired them, in seconds since 1970.
        alive: Whether its lease is valid and its process is not known to be gone.
        words: Status of its last heartbeat; empty before the first.
        age: Seconds since then.
        token: Identifies it; no other driver ever has the same.
        studies: Names of the studies that it holds, sorted.
        asked_to_stop: Who has asked it to stop; empty if nobody has.
        here: Whether its process certainly runs on this machine.
    """

    owner: str
    since: float
    alive: bool
    words: Mapping[str, Any]
    age: float
    token: str = ""
    studies: tuple[str, ...] = ()
    asked_to_stop: str = ""
    here: bool = False


@final
class Lease(AbstractContextManager["Lease"]):
    """The right to write to some studies, renewed by a thread until it is released or lost.

    Attributes:
        studies: Names; losing one means losing all.
        fences: By study, a number that grows with each change of owner.
        seconds: Time from a renewal until others may take over.
        asked_to_stop: Who has asked this driver to stop; empty if nobody has. It is looked up every second.
    """

    def __init__(
        self, engine: Engine, url: URL, fence: Fence, *, token: str, fences: Mapping[str, int], seconds: float
    ) -> None:
        """Use `StoreLeases.acquire`."""
        self._engine, self._url, self._fence, self._token = engine, url, fence, token
        self.studies, self.fences, self.seconds = tuple(fences), fences, seconds
        self.asked_to_stop = ""
        self._over = threading.Event()
        self._heart = threading.Thread(target=self._beat, name="autokd-lease", daemon=True)
        fence.add(token)
        self._heart.start()

    def __exit__(self, *error: object) -> None:
        self.release()

    @property
    def lost(self) -> bool:
        """Whether another driver is known to have taken over; this store then writes nothing more."""
        return self._fence.shut

    @property
    def held(self) -> bool:
        """Whether it has not been released; it may have been lost."""
        return not self._over.is_set()

    def renew(self) -> None:
        """Extend the lease by `seconds`, also if it had expired and nobody took it.

        Raises:
            LeaseLost: If another driver has taken over.
            StoreUnreachable: If the database does not answer.
        """
        self._change(expires=Now() + self.seconds)
        with translate_errors(self._url), self._engine.connect() as connection:
            self._fence.original.check(connection)

    def heartbeat(self, status: Mapping[str, Any]) -> None:
        """Publish the driver's progress, small JSON values in place of earlier ones; errors as in `renew`."""
        self._change(words=json.dumps(dict(status)), told=Now())

    def release(self) -> None:
        """Give the lease back, unless it was released or lost before.

        A database that does not answer is no error: the lease expires, or its process is seen to be gone.
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
            # The request goes with the row, so this is the last look.
            self._look(connection)
            if connection.execute(row).rowcount == 0:
                self._fence.shut = True

    def _change(self, **values: object) -> None:
        """Set columns of the driver's own row."""
        row = update(DriverRow).where(DriverRow.token == self._token)
        with translate_errors(self._url), self._engine.begin() as connection:
            # Where the row is gone this changes nothing, and the fence refuses the commit.
            connection.execute(row.values(**values))

    def _look(self, connection: Connection) -> None:
        """Look whether somebody has asked this driver to stop; a request is not taken back."""
        request = select(DriverRow.asked_to_stop).where(DriverRow.token == self._token)
        self.asked_to_stop = self.asked_to_stop or connection.scalar(request) or ""

    def _beat(self) -> None:
        pause = self.seconds / _BEATS
        due = time.monotonic() + pause
        while not self._over.wait(min(pause, _LOOK_SECONDS)):
            try:
                if time.monotonic() >= due:
                    due = time.monotonic() + pause
                    self.renew()
                with translate_errors(self._url), self._engine.connect() as connection:
                    self._look(connection)
            except (LeaseLost, StoreReplaced):
                return
            except StoreError:
                continue  # The database is away or full; who writes next will say so.


def new_token() -> str:
    """Return a token that no other driver has."""
    return secrets.token_hex(16)


def acquire(
    engine: Engine, url: URL, fence: Fence, studies: Collection[str], *, seconds: float, token: str
) -> Lease:
    """Acquire all of the studies, or none; see `StoreLeases.acquire`.

    Args:
        token: If a driver of this token has them already, which a lost answer may hide, these are its leases.
    """
    wanted = sorted(set(studies))
    with engine.connect() as connection:
        fences = _fences(connection, token)
    if fences:
        return Lease(engine, url, fence, token=token, fences=fences, seconds=seconds)
    # Also checked before anything is locked: the refusal must not wait for a writer that is stuck.
    with engine.connect() as connection:
        _require_free(connection, wanted)
    _make_rows(engine, wanted)
    with engine.begin() as connection:
        # Locks the rows: another driver that wants one of them waits for the end of this transaction.
        for piece in _pieces(wanted):
            leases = update(LeaseRow).where(LeaseRow.study.in_(piece))
            connection.execute(leases.values(fence=LeaseRow.fence + 1))
        former = _require_free(connection, wanted, lock=True)
        for piece in _pieces(sorted(former)):
            connection.execute(delete(DriverRow).where(DriverRow.token.in_(piece)))
        process = Process.current().model_dump_json()
        driver = {"token": token, "process": process, "since": Now(), "expires": Now() + seconds}
        connection.execute(insert(DriverRow).values(driver))
        for piece in _pieces(wanted):
            connection.execute(update(LeaseRow).where(LeaseRow.study.in_(piece)).values(token=token))
        fences = _fences(connection, token)
    return Lease(engine, url, fence, token=token, fences=fences, seconds=seconds)


def _fences(connection: Connection, token: str) -> dict[str, int]:
    """Return the studies that the driver of this token has, and their fences."""
    taken = select(LeaseRow).where(LeaseRow.token == token).order_by(LeaseRow.study)
    return {row.study: row.fence for row in connection.execute(taken)}


_VALID: Final = (DriverRow.expires > Now()).label("valid")


def _holder(row: Row[*tuple[Any, ...]]) -> tuple[Process, bool]:
    """Return the process of a driver's row, which includes `_VALID`, and whether it seems alive."""
    process = Process.model_validate_json(row.process)
    return process, bool(row.valid) and not process.gone


def drivers(engine: Engine, studies: Collection[str] | None) -> tuple[DriverFacts, ...]:
    """Return the drivers of any of the studies, oldest first; see `Store.drivers`."""
    query = select(DriverRow, _VALID, (Now() - DriverRow.told).label("age")).order_by(DriverRow.since)
    facts = []
    with engine.connect() as connection, validated("its drivers"):
        rows = connection.execute(query).all()
        if studies is not None:
            holding: set[str | None] = set()
            for piece in _pieces(sorted(studies)):
                holding.update(connection.scalars(select(LeaseRow.token).where(LeaseRow.study.in_(piece))))
            rows = [row for row in rows if row.token in holding]
        held: dict[str, list[str]] = {row.token: [] for row in rows}
        leases = select(LeaseRow.token, LeaseRow.study).where(LeaseRow.token.in_(list(held)))
        for lease in connection.execute(leases.order_by(LeaseRow.study)) if held else ():
            held[str(lease.token)].append(lease.study)
        for row in rows:
            process, alive = _holder(row)
            facts.append(
                DriverFacts(
                    owner=str(process),
                    since=row.since,
                    alive=alive,
                    words=json.loads(row.words) if row.words else {},
                    age=row.age or 0.0,
                    token=row.token,
                    studies=tuple(held[row.token]),
                    asked_to_stop=row.asked_to_stop or "",
                    here=process.is_here,
                )
            )
    return tuple(facts)


def ask_to_stop(engine: Engine, tokens: Collection[str]) -> None:
    """Ask drivers to stop, in the name of this process; see `Store.ask_to_stop`."""
    row = update(DriverRow).where(DriverRow.token.in_(tokens), DriverRow.asked_to_stop.is_(None))
    with engine.begin() as connection:
        connection.execute(row.values(asked_to_stop=str(Process.current())))


def release(engine: Engine, tokens: Collection[str]) -> None:
    """Take all leases from drivers, dead or alive; see `Store.release`."""
    with engine.begin() as connection:
        connection.execute(delete(DriverRow).where(DriverRow.token.in_(tokens)))


def _require_free(connection: Connection, studies: Sequence[str], *, lock: bool = False) -> set[str]:
    """Return the tokens of the dead drivers that had the studies; raise PairBusy if one of them is alive."""
    query = (
        select(LeaseRow.study, DriverRow, _VALID)
        .join(DriverRow, DriverRow.token == LeaseRow.token)
        .order_by(LeaseRow.study)
    )
    former = set()
    for piece in _pieces(studies):
        some = query.where(LeaseRow.study.in_(piece))
        for row in connection.execute(some.with_for_update() if lock else some):
            with validated(f"who has study {row.study!r}"):
                holder, alive = _holder(row)
                if alive:
                    raise PairBusy(study=row.study, owner=str(holder), since=row.since, until=row.expires)
            former.add(row.token)
    return former


def _pieces(names: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yield names in pieces that fit into one statement."""
    for start in range(0, len(names), _PIECE):
        yield names[start : start + _PIECE]


def _make_rows(engine: Engine, studies: Sequence[str]) -> None:
    """Give each study a row that can be locked."""
    while True:
        with engine.begin() as connection:
            rows = select(LeaseRow.study)
            # NOTE: all of them rather than in pieces: PostgreSQL would keep the plan that was best while the
            # table was empty, and read all of it for each piece.
            some = rows if len(studies) > _PIECE else rows.where(LeaseRow.study.in_(studies))
            missing = sorted(set(studies) - set(connection.scalars(some)))
        if not missing:
            return
        # Another driver may be adding the same rows.
        with suppress(IntegrityError), engine.begin() as connection:
            connection.execute(insert(LeaseRow), [{"study": study, "fence": 0} for study in missing])
