"""Tokens that hold, and sessions of browsers that have signed in with one, for as long as it holds."""

from __future__ import annotations

import hashlib
import secrets
from typing import Final

from starlette.datastructures import Headers
from starlette.requests import cookie_parser

from autokd.core.access_token import AccessToken, public_part
from autokd.service.opened_store import OpenedStore
from autokd.store.sessions import end_session, find_session, start_session
from autokd.store.tokens import find_token

_COOKIE: Final = "autokd_session"


class Sessions:
    """Tokens and sessions of a store: the browser has a random number, and the token stays here.

    Each method raises `StoreError` if the database does not answer.
    """

    def __init__(self, opened: OpenedStore) -> None:
        self._opened = opened

    def find(self, text: str) -> AccessToken | None:
        """Return what is stored of a token if it holds; nobody learns why it does not."""
        public = public_part(text)
        stored = None if public is None else find_token(self._opened.store, public)
        valid = stored is not None and stored.is_for(text) and stored.holds
        return stored if valid else None

    def start(self, token: AccessToken) -> str:
        """Return the number of a new session."""
        number = secrets.token_urlsafe(32)
        start_session(self._opened.store, _kept(number), token.id)
        return number

    def token(self, number: str) -> AccessToken | None:
        """Return the token of a session, as the store has it now; None if either holds no more."""
        return find_session(self._opened.store, _kept(number))

    def end(self, number: str) -> None:
        """End a session; one that is over stays so."""
        end_session(self._opened.store, _kept(number))


def cookie_name(headers: Headers) -> str:
    """Return the name of the cookie; services on other ports of one machine have others."""
    port = headers.get("host", "").rpartition(":")[2]
    return f"{_COOKIE}_{port}" if port.isascii() and port.isdecimal() else _COOKIE


def session_number(headers: Headers) -> str | None:
    """Return the session that a browser names; None if it names none."""
    cookies = cookie_parser("; ".join(headers.getlist("cookie")))
    return cookies.get(cookie_name(headers)) or None


def _kept(number: str) -> str:
    # Looked up by its hash, so that neither the store nor the time that takes says a number that there is.
    return hashlib.sha256(number.encode(errors="surrogateescape")).hexdigest()
