"""Sessions of browsers that have signed in to the service: all servers of a store know them."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from sqlalchemy import delete, insert, select, update

from autokd.core.access_token import AccessToken
from autokd.errors import StoreError
from autokd.store.job_tables import SessionRow
from autokd.store.leases import Now
from autokd.store.store import Store
from autokd.store.tables import TokenRow
from autokd.store.tokens import session_of, token_of

_SECONDS: Final = 7 * 24 * 3600.0
"""A session that was not used for so long is over."""
_SEEN_SECONDS: Final = 3600.0
"""So often it is written down that a session is used."""
_MOST: Final = 1_000
"""Sessions of one token; the one that was used longest ago goes first."""


def start_session(store: Store, id: str, token: str) -> None:
    """Store a new session, and remove those that nobody has used for long."""
    with session_of(store) as session, session.begin():
        session.execute(delete(SessionRow).where(SessionRow.used < Now() - _SECONDS))
        former = select(SessionRow.id).where(SessionRow.token_id == token)
        newest_first = former.order_by(SessionRow.used.desc(), SessionRow.created.desc())
        for piece in session.scalars(newest_first.offset(_MOST - 1)).partitions(_MOST):
            session.execute(delete(SessionRow).where(SessionRow.id.in_(piece)))
        row = {"id": id, "token_id": token, "created": Now(), "used": Now()}
        session.execute(insert(SessionRow).values(**row))


def find_session(store: Store, id: str) -> AccessToken | None:
    """Return the token of a session, as it is now; None if either holds no more, and then it is over."""
    query = select(TokenRow, Now().label("now"), SessionRow.used).join(
        SessionRow, SessionRow.token_id == TokenRow.id
    )
    with session_of(store) as session:
        columns = session.execute(query.where(SessionRow.id == id)).one_or_none()
        if columns is None:
            return None
        row, now, used = columns
        token = token_of(row, now)
    if not token.holds or now - used > _SECONDS:
        end_session(store, id)
        return None
    if now - used > _SEEN_SECONDS:
        # Somebody else may be writing for long; the next request notes it.
        with suppress(StoreError):
            _note_use(store, id)
    return token


def end_session(store: Store, id: str) -> None:
    """End a session; one that is over stays so."""
    with session_of(store) as session, session.begin():
        session.execute(delete(SessionRow).where(SessionRow.id == id))


def _note_use(store: Store, id: str) -> None:
    with session_of(store) as session, session.begin():
        session.execute(update(SessionRow).where(SessionRow.id == id).values(used=Now()))
