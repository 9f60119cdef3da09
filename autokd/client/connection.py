"""Requests to a service, and its problem documents as errors of autokd."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import urlsplit

import httpx2 as httpx
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt

from autokd._version import __version__
from autokd.config.defaults import SERVER_VARIABLE, TOKEN_VARIABLE
from autokd.errors import ArgumentError, RequestRefused, ServiceError
from autokd.text.escaping import one_line

_TRIES: Final = 3
_LONGEST_WAIT: Final = 10.0
"""Seconds; a service that asks for more is not waited for."""
_AGAIN: Final = frozenset({None, 429, 503})
"""Statuses after which the same request may be answered; None: there was no answer."""


class Connection:
    """A connection to a service.

    Args:
        url: Address of the service, e.g. `http://127.0.0.1:8321`.
        token: Token; None if the service wants none.
        timeout: Seconds that an answer may take.
        transport: What carries requests, in place of the network.

    Raises:
        ArgumentError: If the address is none, or the token.
    """

    def __init__(
        self, url: str, token: str | None, *, timeout: float, transport: httpx.BaseTransport | None = None
    ) -> None:
        if "@" in url:
            raise ArgumentError(
                "server", f"must hold no password; set {TOKEN_VARIABLE} to a token of the service"
            )
        if not _is_address(url):
            raise ArgumentError("server", f"must be an address such as http://127.0.0.1:8321, not {url!r}")
        headers = {"User-Agent": f"autokd/{__version__}"}
        if token:
            headers["Authorization"] = f"Bearer {_checked_token(token.strip())}"
        self.url = url.rstrip("/")
        self._client = httpx.Client(
            base_url=self.url, headers=headers, timeout=timeout, transport=transport, follow_redirects=False
        )

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def json(self, path: str, **query: object) -> Any:
        """Return what the service has at a path; parameters that are None are left out.

        Raises:
            RequestRefused: If the service refuses.
            ServiceError: If it does not answer, or has failed.
        """
        answer = self.request("GET", path, params=_named(query))
        try:
            return answer.json()
        except ValueError:
            raise _foreign(self.url, answer) from None

    def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Return the answer to a request; one that may be repeated is, where the service asks for it.

        Raises:
            RequestRefused: If the service refuses.
            ServiceError: If it does not answer, or has failed.
        """
        if method != "GET" and "Idempotency-Key" not in more.get("headers", {}):
            return self._once(method, path, **more)
        again = Retrying(
            stop=stop_after_attempt(_TRIES),
            wait=_wait,
            retry=retry_if_exception(_may_work_again),
            reraise=True,
        )
        return again(self._once, method, path, **more)

    def _once(self, method: str, path: str, **more: Any) -> httpx.Response:
        try:
            return self._checked(self._client.request(method, path, **more))
        except httpx.TransportError as error:
            raise self._away(error) from error

    @contextmanager
    def stream(self, method: str, path: str, **more: Any) -> Iterator[httpx.Response]:
        """Yield an answer whose content has not been read yet.

        Raises:
            RequestRefused: If the service refuses.
            ServiceError: If it does not answer, or the connection is cut.
        """
        try:
            with self._client.stream(method, path, **more) as answer:
                if answer.is_error:
                    answer.read()
                yield self._checked(answer)
        except httpx.TransportError as error:
            raise self._away(error) from error

    def _checked(self, answer: httpx.Response) -> httpx.Response:
        if answer.is_success:
            return answer
        if answer.is_redirect:
            where = one_line(answer.headers.get("Location", "elsewhere"))[:200]
            problem = f"{self.url}: leads to {where}; give that address if it is your service"
            raise ServiceError(problem, status=answer.status_code)
        raise _error(self.url, answer)

    def _away(self, error: Exception) -> ServiceError:
        why = one_line(str(error)) or type(error).__name__
        return ServiceError(
            f"{self.url}: the service does not answer ({why}); is autokd serve at work there?"
        )


def server_of(url: str | None) -> str:
    """Return the address of a service: `url`, or that of the environment.

    Raises:
        ArgumentError: If there is none.
    """
    address = url or os.environ.get(SERVER_VARIABLE)
    if not address:
        raise ArgumentError("server", f"is missing; give its address, or set {SERVER_VARIABLE}")
    return address


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        httpx.URL(url)
        # What cannot be one raises.
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except (ValueError, httpx.InvalidURL):
        return False


def _checked_token(token: str) -> str:
    if not token.isascii() or not token.isprintable() or " " in token:
        problem = f"is none that autokd token create has shown; look at {TOKEN_VARIABLE}"
        raise ArgumentError("token", problem)
    return token


def _named(query: Mapping[str, object]) -> dict[str, Any]:
    return {name: value for name, value in query.items() if value is not None}


def _may_work_again(error: BaseException) -> bool:
    return isinstance(error, ServiceError) and error.status in _AGAIN and error.retry_after <= _LONGEST_WAIT


def _wait(state: RetryCallState) -> float:
    """Return the seconds until the next attempt: those that the service asks for, at least half a second."""
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after if isinstance(error, ServiceError) else 0.0
    return max(asked, 0.5 * state.attempt_number)


def _foreign(url: str, answer: httpx.Response) -> ServiceError:
    kind = RequestRefused if 400 <= answer.status_code < 500 else ServiceError
    problem = f"{url}: answers with status {answer.status_code}, not as autokd does; is it an autokd service?"
    return kind(problem, status=answer.status_code)


def _error(url: str, answer: httpx.Response) -> ServiceError:
    """Return a problem document as an error with its way out; any other answer as far as it can be told."""
    try:
        document = answer.json()
        detail = str(document["detail"])
    except (ValueError, KeyError, TypeError):
        return _foreign(url, answer)
    problems = document.get("problems") or ()
    if problems:
        detail = "; ".join(
            ": ".join(filter(None, (str(entry.get("field", "")), str(entry.get("problem", "")))))
            for entry in problems
        )
    way_out = document.get("way_out") or ""
    if answer.status_code == 401:
        way_out = f"set {TOKEN_VARIABLE} to what autokd token create has shown"
    kind = ServiceError if answer.status_code >= 500 else RequestRefused
    later = answer.headers.get("Retry-After", "")
    return kind(
        f"{detail}; {way_out}" if way_out else detail,
        status=answer.status_code,
        retry_after=float(later) if later.isdecimal() else 0.0,
    )
