"""Tokens of the service, on each database."""

from __future__ import annotations

import secrets

import pytest
from sqlalchemy import text

from autokd.core.access_token import AccessToken, Scope, digest_of, new_token, public_part
from autokd.errors import InputError, StoreError
from autokd.store import Store
from autokd.store.tokens import add_token, find_token, revoke_token, stored_tokens


def make(
    store: Store, name: str = "", *, scope: Scope = Scope.READ, seconds: float | None = None
) -> tuple[str, AccessToken]:
    """A new token, and what is stored of it."""
    token, public = new_token()
    name = name or secrets.token_hex(4)
    return token, add_token(
        store, id=public, name=name, scope=scope, digest=digest_of(token), seconds=seconds
    )


def test_a_token_is_found_by_its_public_part_and_only_its_hash_is_stored(store: Store) -> None:
    token, stored = make(store, scope=Scope.TUNE, seconds=60)
    public = public_part(token)
    assert public is not None
    assert find_token(store, public) == stored
    assert stored.holds
    assert stored.is_for(token)
    assert not stored.is_for(token[:-1])
    assert stored.expires == pytest.approx(stored.created + 60)
    with store.optuna_storage.engine.connect() as connection:
        rows = connection.execute(text("SELECT * FROM autokd_token")).all()
    secret = token.split("_", 2)[2]
    assert not any(secret in str(row) for row in rows)
    assert stored.digest not in repr(stored)


def test_an_unknown_token_is_none(store: Store) -> None:
    assert find_token(store, "00000000") is None


def test_an_expired_token_holds_no_more(store: Store) -> None:
    _, stored = make(store, seconds=-1)
    token = find_token(store, stored.id)
    assert token is not None
    assert token.expired
    assert not token.holds


def test_a_revoked_token_holds_no_more_and_its_name_is_free_again(store: Store) -> None:
    _, first = make(store, "ci")
    with pytest.raises(InputError, match="there is a token of that name"):
        make(store, "ci")
    assert revoke_token(store, "ci").id == first.id
    token = find_token(store, first.id)
    assert token is not None
    assert token.revoked is not None
    assert not token.holds
    _, second = make(store, "ci")
    assert [listed.id for listed in stored_tokens(store) if listed.name == "ci"] == [first.id, second.id]
    revoke_token(store, "ci")
    with pytest.raises(InputError, match="no token has the name 'ci'"):
        revoke_token(store, "ci")


def test_a_scope_that_autokd_does_not_know_is_refused(store: Store) -> None:
    _, stored = make(store)
    with store.optuna_storage.engine.begin() as connection:
        connection.execute(text("UPDATE autokd_token SET scope = 'root' WHERE id = :id"), {"id": stored.id})
    try:
        with pytest.raises(StoreError, match="was not written by autokd"):
            find_token(store, stored.id)
    finally:
        with store.optuna_storage.engine.begin() as connection:
            connection.execute(text("DELETE FROM autokd_token WHERE id = :id"), {"id": stored.id})


@pytest.mark.parametrize(
    "other", ["", "autokd_0123", "autokd_0123456G_" + "a" * 43, "autokd_01234567_" + "a" * 43 + "\n"]
)
def test_what_is_no_token_has_no_public_part(other: str) -> None:
    assert public_part(other) is None


def test_scopes_include_those_before_them() -> None:
    included = {scope: [other for other in Scope if scope.includes(other)] for scope in Scope}
    assert included == {
        Scope.READ: [Scope.READ],
        Scope.TUNE: [Scope.READ, Scope.TUNE],
        Scope.ADMIN: list(Scope),
    }
