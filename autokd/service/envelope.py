"""What goes around every request: its id, its line in the log, headers for browsers, a bound on its time."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from time import monotonic, perf_counter
from typing import Any, Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from autokd.service.counters import Counters
from autokd.service.problems import problem_of, request_id, response

_log = logging.getLogger(__name__)
_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
UPLOADS: Final = "/v1/files/"
"""What the path of an upload begins with."""
_LEAST_RATE: Final = 2**16
"""Bytes a second that an upload may not fall below for longer than other bodies may take."""
_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})
_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
    "Cache-Control": "no-store",
}
"""Unless a response sets its own."""


class Envelope:
    """The outermost layer of the service.

    Args:
        counters: Counts the requests.
        body_seconds: Longest time that a body may take.
        max_body: Largest body in bytes; uploads have a bound of their own.
    """

    def __init__(self, app: ASGIApp, *, counters: Counters, body_seconds: float, max_body: int) -> None:
        self._app, self._counters = app, counters
        self._body_seconds, self._max_body = body_seconds, max_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008})

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        request_id = Headers(scope=scope).get("x-request-id", "")
        number = request_id if _ID.fullmatch(request_id) else secrets.token_hex(8)
        scope.setdefault("state", {})["request_id"] = number
        began, status = perf_counter(), 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = number
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self._app(scope, self._limited(receive, scope), sending)
        except Exception as error:
            if not isinstance(error, HTTPException):
                _log.exception("request %s failed", number, exc_info=error)
            if not status:
                await response(problem_of(error), number)(scope, receive, sending)
        finally:
            seconds = perf_counter() - began
            method = scope["method"] if scope["method"] in _METHODS else "other"
            route = getattr(scope.get("route"), "path", "other")
            self._counters.count(method, route, status, seconds)
            _log.info("request", extra={"facts": _facts(scope, status, seconds)})

    @property
    def _too_large(self) -> str:
        return f"the body is too large; it has at most {self._max_body:,} bytes"

    def _limited(self, receive: Receive, scope: Scope) -> Receive:
        """Return `receive` that takes no endless body, and none that is too large; then it is as it was."""
        until, complete, size, upload = 0.0, False, 0, _is_upload(scope)
        announced = Headers(scope=scope).get("content-length", "0")

        async def receiving() -> Message:
            nonlocal complete, until, size
            if complete:
                return await receive()
            # It begins with the first look: what came before was for the service to do.
            until = until or monotonic() + self._body_seconds
            if not upload and announced.isdecimal() and int(announced[:19]) > self._max_body:
                raise HTTPException(413, self._too_large)
            try:
                message = await asyncio.wait_for(receive(), max(0.0, until - monotonic()))
            except TimeoutError:
                raise HTTPException(408, "the body took too long; send it at once") from None
            complete = not message.get("more_body", False)
            size += len(message.get("body", b""))
            if upload:
                # What has come gives it more time.
                until += len(message.get("body", b"")) / _LEAST_RATE
            elif size > self._max_body:
                raise HTTPException(413, self._too_large)
            return message

        return receiving


class JsonLines(logging.Formatter):
    """Writes each record as one line of JSON, in which everything that is not ASCII is escaped."""

    def format(self, record: logging.LogRecord) -> str:
        content: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        facts = getattr(record, "facts", None)
        if isinstance(facts, Mapping):
            content |= facts
        if record.exc_info:
            content["error"] = self.formatException(record.exc_info)
        return json.dumps(content, ensure_ascii=True, default=str)


def _is_upload(scope: Scope) -> bool:
    return scope["method"] == "PUT" and str(scope["path"]).startswith(UPLOADS)


def _facts(scope: Scope, status: int, seconds: float) -> dict[str, object]:
    """Return what the log says of a request; a token is named, never shown, and no query is kept."""
    token = scope["state"].get("token")
    return {
        "request": request_id(scope),
        "method": scope["method"],
        "path": scope["path"],
        "status": status,
        "seconds": round(seconds, 4),
        "client": (scope.get("client") or (None,))[0],
        "token": None if token is None else token.name,
    }
