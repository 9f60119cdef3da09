"""Who has signed in, and which page sends a request."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.datastructures import Headers

from autokd.core.access_token import Scope
from autokd.service.opened_store import OpenedStore
from autokd.service.origins import is_foreign_page, is_own_page
from autokd.service.sessions import Sessions, cookie_name, session_number
from autokd.store import sqlite_url
from autokd.workflows.tokens import create


def test_a_session_outlasts_its_server_and_is_one_for_all_servers_of_a_store(home: Path) -> None:
    first, second = OpenedStore(sqlite_url(home / "autokd.db")), OpenedStore(sqlite_url(home / "autokd.db"))
    made = create(sqlite_url(home / "autokd.db"), name="a", scope=Scope.READ)
    sessions, elsewhere = Sessions(first), Sessions(second)
    assert sessions.find(made.text) == made.stored
    assert sessions.find(f"{made.text[:-1]}_") is None
    number, other = sessions.start(made.stored), sessions.start(made.stored)
    assert number != other
    first.close()
    assert elsewhere.token(number) == made.stored
    elsewhere.end(number)
    assert sessions.token(number) is None
    assert sessions.token(other) == made.stored
    assert not any(other.encode() in file.read_bytes() for file in home.glob("autokd.db*"))
    for opened in (first, second):
        opened.close()


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
