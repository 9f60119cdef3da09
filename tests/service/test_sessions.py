"""Who has signed in, and which page sends a request."""

from __future__ import annotations

from dataclasses import replace

import pytest
from starlette.datastructures import Headers

from autokd.core.access_token import AccessToken, Scope, digest_of, new_token
from autokd.service.origins import is_foreign_page, is_own_page
from autokd.service.sessions import Sessions, cookie_name, session_number

WEEK = 7 * 24 * 3600


def test_a_session_lasts_as_long_as_its_token_holds_and_it_is_used() -> None:
    text, public = new_token()
    token = AccessToken(id=public, name="a", scope=Scope.READ, digest=digest_of(text), created=0.0)
    stored, now = {public: token}, 0.0
    sessions = Sessions(stored.get, clock=lambda: now)
    assert sessions.find(text) == token
    assert sessions.find(f"{text[:-1]}_") is None
    number, other = sessions.start(token), sessions.start(token)
    assert number != other
    now = WEEK - 1
    assert sessions.token(number) == token
    now = WEEK + 1
    assert sessions.token(other) is None
    assert sessions.token(number) == token
    stored[public] = replace(token, scope=Scope.TUNE)
    assert sessions.token(number) == stored[public]
    for change in ({"expired": True}, {"revoked": 1.0}, {"digest": digest_of("another")}):
        number = sessions.start(token)
        stored[public] = replace(token, **change)
        assert sessions.token(number) is None
        stored[public] = token
        assert sessions.token(number) is None, "what is over stays so"
    number = sessions.start(token)
    sessions.end(number)
    assert sessions.token(number) is None


def test_the_cookies_of_two_services_on_one_machine_do_not_meet() -> None:
    names = {cookie_name(Headers({"host": host})) for host in ("localhost:8321", "localhost:8322", "a.org")}
    assert len(names) == 3
    headers = Headers({"host": "localhost:8321", "cookie": "a=b; autokd_session_8321=x; autokd_session=y"})
    assert session_number(headers) == "x"
    assert session_number(Headers({"host": "localhost:8323", "cookie": "autokd_session_8321=x"})) is None


@pytest.mark.parametrize(
    ("headers", "own", "foreign"),
    [
        ({}, False, False),
        ({"origin": "http://tuning.example.org"}, True, False),
        ({"origin": "https://tuning.example.org"}, True, False),
        ({"origin": "https://TUNING.example.org:443"}, True, False),
        ({"origin": "https://tuning.example.org:8321"}, False, True),
        ({"origin": "https://evil.example"}, False, True),
        ({"origin": "https://tuning.example.org.evil.example"}, False, True),
        ({"origin": "https://tuning.example.org/"}, False, True),
        ({"origin": "ftp://tuning.example.org"}, False, True),
        *(({"origin": odd}, False, True) for odd in ("null", "http://[::1", "http://[", "https://]", "//")),
        ({"origin": ""}, False, True),
        ({"sec-fetch-site": "same-origin"}, True, False),
        ({"sec-fetch-site": "same-site"}, False, True),
        ({"sec-fetch-site": "cross-site"}, False, True),
        ({"sec-fetch-site": "none"}, False, True),
        ({"sec-fetch-site": "cross-site", "origin": "https://tuning.example.org"}, False, True),
        ({"sec-fetch-site": "same-origin", "origin": "https://behind.a.proxy"}, True, False),
    ],
)
def test_which_page_sends_a_request(headers: dict[str, str], own: bool, foreign: bool) -> None:
    received = Headers({"host": "tuning.example.org", **headers})
    assert (is_own_page(received), is_foreign_page(received)) == (own, foreign)


def test_two_origins_are_none() -> None:
    raw = [(b"host", b"a.org"), (b"origin", b"https://a.org"), (b"origin", b"https://evil.example")]
    assert is_foreign_page(Headers(raw=raw))
