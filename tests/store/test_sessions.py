"""Sessions of browsers, on each database."""

from __future__ import annotations

import secrets
from itertools import count

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from autokd.core.access_token import Scope
from autokd.store import Store, sessions
from autokd.store.job_tables import SessionRow
from autokd.store.leases import Now
from autokd.store.sessions import end_session, find_session, start_session
from autokd.store.tokens import add_token, revoke_token

WEEK = 7 * 24 * 3600
_names = count()


def token(store: Store, *, seconds: float | None = None) -> tuple[str, str]:
    """A new token: its public part and its name."""
    id, name = secrets.token_hex(4), f"browser-{next(_names)}"
    add_token(store, id=id, name=name, scope=Scope.READ, digest="0" * 64, seconds=seconds)
    return id, name


def started(store: Store, token: str, *, unused: float = 0.0) -> str:
    """A new session that was not used for so many seconds."""
    id = secrets.token_hex(32)
    start_session(store, id, token)
    with Session(store.optuna_storage.engine) as session, session.begin():
        session.execute(update(SessionRow).where(SessionRow.id == id).values(used=Now() - unused))
    return id


def unused(store: Store, id: str) -> float:
    """Seconds since it was used, as the store has it."""
    query = select(Now() - SessionRow.used).where(SessionRow.id == id)
    with Session(store.optuna_storage.engine) as session:
        return float(session.scalars(query).one())


def kept(store: Store, token: str) -> set[str]:
    with Session(store.optuna_storage.engine) as session:
        return set(session.scalars(select(SessionRow.id).where(SessionRow.token_id == token)))


def test_a_session_lasts_as_long_as_its_token_holds_and_it_is_used(store: Store) -> None:
    mine, name = token(store)
    first, second = started(store, mine, unused=WEEK - 3600), started(store, mine, unused=WEEK + 60)
    bearer = find_session(store, first)
    assert bearer is not None
    assert (bearer.id, bearer.name) == (mine, name)
    assert unused(store, first) < 60, "it was used just now"
    assert find_session(store, second) is None
    assert find_session(store, "0" * 64) is None
    end_session(store, first)
    end_session(store, first)
    assert find_session(store, first) is None
    assert kept(store, mine) == set()


def test_a_session_ends_with_its_token(store: Store) -> None:
    mine, name = token(store)
    session = started(store, mine)
    revoke_token(store, name)
    assert find_session(store, session) is None
    expired, _ = token(store, seconds=-1)
    assert find_session(store, started(store, expired)) is None


def test_a_use_is_written_down_once_an_hour(store: Store) -> None:
    mine, _ = token(store)
    session = started(store, mine, unused=1800)
    assert find_session(store, session) is not None
    assert unused(store, session) > 1700


def test_there_are_no_more_sessions_of_a_token_than_some(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "_MOST", 3)
    mine, _ = token(store)
    other = started(store, token(store)[0], unused=120)
    old = [started(store, mine, unused=seconds) for seconds in (60, 30, 45)]
    newest = started(store, mine)
    assert kept(store, mine) == {old[1], old[2], newest}
    assert find_session(store, other) is not None
    # Those of everybody that nobody uses go when somebody signs in.
    forgotten = started(store, mine, unused=WEEK + 60)
    started(store, token(store)[0])
    assert forgotten not in kept(store, mine)
