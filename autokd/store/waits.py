"""Counts how often and how long a process waits for its database."""

from __future__ import annotations

from threading import Lock
from time import monotonic
from typing import Any, Final, final

from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import InterfaceError, OperationalError

_BEGAN: Final = "autokd began"


@final
class DatabaseWaits:
    """Waits of all engines that are watched.

    Attributes:
        statements: Statements that were answered.
        seconds: Time until they were.
        failures: Statements, and attempts to connect, that the database did not answer.
    """

    def __init__(self) -> None:
        self.statements, self.seconds, self.failures = 0, 0.0, 0
        self._lock = Lock()

    def watch(self, engine: Engine) -> None:
        """Count the waits of an engine from now on."""
        event.listen(engine, "before_cursor_execute", self._begin)
        event.listen(engine, "after_cursor_execute", self._end)
        event.listen(engine, "handle_error", self._fail)

    @staticmethod
    def _begin(connection: Connection, *_: Any) -> None:
        connection.info[_BEGAN] = monotonic()

    def _end(self, connection: Connection, *_: Any) -> None:
        now = monotonic()
        with self._lock:
            self.statements += 1
            self.seconds += now - connection.info.pop(_BEGAN, now)

    def _fail(self, context: ExceptionContext) -> None:
        # Others say that a row is there already, or that the statement is wrong: the database has answered.
        if isinstance(context.sqlalchemy_exception, OperationalError | InterfaceError):
            with self._lock:
                self.failures += 1
