"""Fencing: a driver whose lease was taken over writes nothing more, however late it wakes up.

Before its commit, each transaction that has written something checks that the leases held through this engine
are still ours. This includes Optuna's transactions.
"""

from __future__ import annotations

from typing import Any, Final, final

from sqlalchemy import Connection, Engine, Select, event, select

from autokd.errors import LeaseLost
from autokd.store.identity import Original
from autokd.store.tables import DriverRow

_WROTE: Final = "autokd wrote"


@final
class Fence:
    """Checks the commits of one engine; it costs nothing while no lease is held.

    Attributes:
        shut: Whether a lease was lost; then nothing is committed any more.
        original: The store that was opened, which each commit under a lease compares.
    """

    def __init__(self, engine: Engine, original: Original) -> None:
        self.shut, self.original = False, original
        self._tokens: frozenset[str] = frozenset()
        self._query: Select[str] = select(DriverRow.token)
        event.listen(engine, "after_cursor_execute", self._executed)
        event.listen(engine, "commit", self._committing)

    def add(self, token: str) -> None:
        """Refuse commits from now on unless the driver with this token is in the database."""
        self._watch(self._tokens | {token})

    def remove(self, token: str) -> None:
        """Stop checking for a driver, which releases its lease."""
        self._watch(self._tokens - {token})

    def _watch(self, tokens: frozenset[str]) -> None:
        # NOTE: the lock lets another driver take over only after our commit. Our own renewal waits for it,
        # too (it would not for FOR KEY SHARE): so after a renewal no earlier commit is still under way, and
        # what is then read is final (see `autokd.store.retrying`).
        self._query = select(DriverRow.token).where(DriverRow.token.in_(tokens)).with_for_update(read=True)
        self._tokens = tokens

    def _executed(self, connection: Connection, cursor: Any, statement: str, *_: Any) -> None:
        if not statement.startswith("SELECT"):
            connection.info[_WROTE] = True

    def _committing(self, connection: Connection) -> None:
        # Reading needs no lease, and locking would make each read a write.
        if not connection.info.pop(_WROTE, False):
            return
        if self._tokens and not self.shut:
            self.original.check_file()
            self.shut = len(connection.execute(self._query).all()) != len(self._tokens)
        if self.shut:
            self.original.check(connection)
            raise LeaseLost(
                "another driver has taken over what this one was tuning, since it did not answer for longer "
                "than its lease; it writes nothing more. Run the same command again when the other is done"
            )
