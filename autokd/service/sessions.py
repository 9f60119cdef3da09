"""Tokens that hold, and sessions of browsers that have signed in with one, for as long as it holds."""

from __future__ import annotations

import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from time import monotonic
from typing import Final

from starlette.datastructures import Headers
from starlette.requests import cookie_parser

from autokd.core.access_token import AccessToken, public_part

_SECONDS: Final = 7 * 24 * 3600.0
"""A session that was not used for so long is over."""
_MOST: Final = 10_000
"""Sessions that are kept; the one that was used longest ago goes first."""
_COOKIE: Final = "autokd_session"


class Sessions:
    """Sessions of this process: the browser has a random number, and the token stays here.

    Args:
        find: Returns what is stored of the token with a public part, or None.
        clock: Seconds that only grow.
    """

    def __init__(
        self, find: Callable[[str], AccessToken | None], clock: Callable[[], float] = monotonic
    ) -> None:
        self._find, self._clock = find, clock
        self._sessions: OrderedDict[str, tuple[AccessToken, float]] = OrderedDict()
        self._lock = Lock()

    def find(self, text: str) -> AccessToken | None:
        """Return what is stored of a token if it holds; nobody learns why it does not."""
        public = public_part(text)
        stored = None if public is None else self._find(public)
        valid = stored is not None and stored.is_for(text) and stored.holds
        return stored if valid else None

    def start(self, token: AccessToken) -> str:
        """Return the number of a new session."""
        number = secrets.token_urlsafe(32)
        with self._lock:
            self._sessions[_kept(number)] = token, self._clock()
            while len(self._sessions) > _MOST:
                self._sessions.popitem(last=False)
        return number

    def token(self, number: str) -> AccessToken | None:
        """Return the token of a session, as the store has it now; None if either holds no more."""
        key = _kept(number)
        with self._lock:
            token, used = self._sessions.get(key, (None, 0.0))
        if token is None:
            return None
        stored = self._find(token.id)
        if stored is None or not stored.holds or stored.digest != token.digest or self._is_old(used):
            self.end(number)
            return None
        with self._lock:
            if key in self._sessions:
                self._sessions[key] = stored, self._clock()
                self._sessions.move_to_end(key)
        return stored

    def end(self, number: str) -> None:
        """End a session; one that is over stays so."""
        with self._lock:
            self._sessions.pop(_kept(number), None)

    def _is_old(self, used: float) -> bool:
        return self._clock() - used > _SECONDS


def cookie_name(headers: Headers) -> str:
    """Return the name of the cookie; services on other ports of one machine have others."""
    port = headers.get("host", "").rpartition(":")[2]
    return f"{_COOKIE}_{port}" if port.isascii() and port.isdecimal() else _COOKIE


def session_number(headers: Headers) -> str | None:
    """Return the session that a browser names; None if it names none."""
    cookies = cookie_parser("; ".join(headers.getlist("cookie")))
    return cookies.get(cookie_name(headers)) or None


def _kept(number: str) -> str:
    # Looked up by its hash, so that the time that takes says nothing about the numbers that there are.
    return hashlib.sha256(number.encode(errors="surrogateescape")).hexdigest()
