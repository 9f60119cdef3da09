"""Tokens that let programs use the service: what is stored of one, and what each scope may."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

_PREFIX: Final = "autokd"
_FORM: Final = re.compile(rf"{_PREFIX}_([0-9a-f]{{8}})_[A-Za-z0-9_-]{{43}}", re.ASCII)


class Scope(StrEnum):
    """What the bearer of a token may do; each scope includes those before it."""

    READ = "read"
    """Read studies, pairs and reports."""
    TUNE = "tune"
    """Also post and cancel jobs, put study recipes, and upload new files."""
    ADMIN = "admin"
    """Also replace files, and read who has changed what."""

    def includes(self, other: Scope) -> bool:
        """Return whether this scope may do what another one may."""
        order = list(Scope)
        return order.index(self) >= order.index(other)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessToken:
    """What the store has of a token, which is not the token itself.

    Attributes:
        id: Public part of the token, eight hexadecimal digits.
        digest: SHA-256 of the whole token in hexadecimal digits. The token is random, so nothing slower is
            needed against guessing.
        created, expires, revoked: Seconds since 1970 by the database's clock; `expires` is None if it holds
            for ever, `revoked` is None if it was not revoked.
        expired: Whether it had expired when it was read.
    """

    id: str
    name: str
    scope: Scope
    digest: str = field(repr=False)
    created: float
    expires: float | None = None
    revoked: float | None = None
    expired: bool = False

    @property
    def holds(self) -> bool:
        """Whether it lets anybody in."""
        return not self.expired and self.revoked is None

    def is_for(self, text: str) -> bool:
        """Return whether a text is this token; the time that takes says nothing about the digest."""
        return hmac.compare_digest(digest_of(text), self.digest)


def new_token() -> tuple[str, str]:
    """Return a new token of 256 random bits, and its public part."""
    public = secrets.token_hex(4)
    return f"{_PREFIX}_{public}_{secrets.token_urlsafe(32)}", public


def digest_of(text: str) -> str:
    """Return what the store keeps of a token."""
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()


def public_part(text: str) -> str | None:
    """Return the public part of a token; None if the text has not the form of one."""
    match = _FORM.fullmatch(text)
    return None if match is None else match[1]
