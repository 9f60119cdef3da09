"""Tokens of the service: made, listed and revoked in the store that the service reads."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from autokd.config.mistakes import NAME
from autokd.core.access_token import AccessToken, Scope, digest_of, new_token
from autokd.errors import InputError, NotTuned
from autokd.store import Store
from autokd.store.tokens import add_token, revoke_token, stored_tokens
from autokd.text.quoting import quoted


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token that was made just now.

    Attributes:
        text: The token itself, which nobody can show again.
        stored: What the store has of it.
    """

    text: str = field(repr=False)
    stored: AccessToken

    def to_json(self) -> dict[str, Any]:
        """Return what `autokd token create --json` prints."""
        return {**token_json(self.stored), "token": self.text}


def create(storage: str, *, name: str, scope: Scope, seconds: float | None = None) -> NewToken:
    """Make a token, and the store if there is none yet.

    Args:
        storage: Database URL of the store.
        seconds: How long it holds; None for ever.

    Raises:
        InputError: If the name is none, or is taken.
    """
    if not re.fullmatch(NAME, name):
        raise InputError(f"--name {quoted(name)}: a name is 1 to 64 letters, digits, dots, hyphens or _")
    text, public = new_token()
    with Store.open(storage, create=True) as store:
        stored = add_token(store, id=public, name=name, scope=scope, digest=digest_of(text), seconds=seconds)
    return NewToken(text, stored)


def tokens(storage: str) -> tuple[AccessToken, ...]:
    """Return all tokens, also those that hold no more; none if there is no store."""
    try:
        with Store.open(storage, create=False) as store:
            return stored_tokens(store)
    except NotTuned:
        return ()


def revoke(storage: str, name: str) -> AccessToken:
    """Revoke a token: from now on it lets nobody in.

    Raises:
        InputError: If there is none of that name.
    """
    with Store.open(storage, create=False) as store:
        return revoke_token(store, name)


def token_json(token: AccessToken) -> dict[str, Any]:
    """Return what a token is, without its digest; times as ISO 8601."""
    return {
        "name": token.name,
        "id": token.id,
        "scope": token.scope.value,
        "holds": token.holds,
        "created": _iso(token.created),
        "expires": _iso(token.expires),
        "revoked": _iso(token.revoked),
    }


def _iso(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
