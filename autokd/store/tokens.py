"""The tokens of the service, as rows of the store: made, listed, found and revoked."""

from __future__ import annotations

from contextlib import AbstractContextManager

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from autokd.core.access_token import AccessToken, Scope
from autokd.errors import InputError
from autokd.store.db_errors import translated_session, validated
from autokd.store.leases import Now
from autokd.store.store import Store
from autokd.store.tables import TokenRow
from autokd.text.quoting import quoted


def add_token(
    store: Store, *, id: str, name: str, scope: Scope, digest: str, seconds: float | None
) -> AccessToken:
    """Store a new token, and return what is stored.

    Args:
        seconds: How long it holds; None for ever.

    Raises:
        InputError: If there is one of that name that was not revoked; nothing was changed.
    """
    with session_of(store) as session, session.begin():
        now = _now(session)
        row = TokenRow(
            id=id,
            name=name,
            current_name=name,
            scope=scope.value,
            digest=digest,
            created=now,
            expires=None if seconds is None else now + seconds,
        )
        session.add(row)
        try:
            session.flush()
        except IntegrityError:
            raise InputError(
                f"--name {quoted(name)}: there is a token of that name; choose another name, or revoke that "
                f"one with autokd token revoke {name}"
            ) from None
        return token_of(row, now)


def stored_tokens(store: Store) -> tuple[AccessToken, ...]:
    """Return all tokens, also those that hold no more, in the order in which they were made."""
    with session_of(store) as session:
        now = _now(session)
        rows = session.scalars(select(TokenRow).order_by(TokenRow.created, TokenRow.id))
        return tuple(token_of(row, now) for row in rows)


def find_token(store: Store, id: str) -> AccessToken | None:
    """Return the token with that public part, or None."""
    with session_of(store) as session:
        row = session.execute(select(TokenRow, Now()).where(TokenRow.id == id)).one_or_none()
        return None if row is None else token_of(*row)


def revoke_token(store: Store, name: str) -> AccessToken:
    """Revoke the token of that name from now on, and return it; its row stays.

    Raises:
        InputError: If there is none.
    """
    with session_of(store) as session, session.begin():
        row = session.scalar(select(TokenRow).where(TokenRow.current_name == name))
        if row is None:
            raise InputError(f"no token has the name {quoted(name)}; autokd token list shows their names")
        row.current_name, row.revoked = None, _now(session)
        return token_of(row, row.revoked)


def token_of(row: TokenRow, now: float) -> AccessToken:
    """Return the token of a row."""
    with validated(f"token {row.name!r}"):
        return AccessToken(
            id=row.id,
            name=row.name,
            scope=Scope(row.scope),
            digest=row.digest,
            created=row.created,
            expires=row.expires,
            revoked=row.revoked,
            expired=row.expires is not None and row.expires <= now,
        )


def _now(session: Session) -> float:
    return session.execute(select(Now())).scalar_one()


def session_of(store: Store) -> AbstractContextManager[Session]:
    """Open a session of the database, whose errors are ours."""
    return translated_session(store.optuna_storage.engine)
