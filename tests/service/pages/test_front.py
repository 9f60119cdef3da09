"""Signing in with a token, and the list of studies."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from autokd.core.access_token import Scope
from autokd.service.app import Service
from autokd.workflows.tokens import create, revoke
from tests.service.conftest import Api, settings

OURS = {"Origin": "http://localhost:8321"}
ADDRESSES = itertools.count(1)


class Visitor(Api):
    """A browser with an address of its own: it keeps cookies, and says which page sends a form."""

    def __init__(self, service: Service, token: str | None = None) -> None:
        super().__init__(service, token)
        self.address = f"10.0.0.{next(ADDRESSES)}"

    def sign_in(self, token: str, **more: str) -> int:
        answer = self.request("POST", "/sign-in", data={"token": token, **more}, headers=OURS)
        if answer.status_code == 303:
            self.answer = answer
            self.headers = {"Cookie": answer.headers["set-cookie"].partition(";")[0]}
        return answer.status_code


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service on an empty home."""
    opened = Service(settings(tmp_path_factory.mktemp("front"), studies=()))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def token(service: Service) -> str:
    return create(service.context.settings.address, name="reader", scope=Scope.READ).text


def test_the_door_is_a_form_and_behind_it_are_the_studies(service: Service, token: str) -> None:
    visitor = Visitor(service)
    door = visitor.get("/")
    assert (door.status_code, "<form" in door.text, 'name="token"' in door.text) == (200, True, True)
    assert "digits" not in door.text
    assert visitor.sign_in(token) == 303
    cookie = visitor.answer.headers["set-cookie"]
    assert cookie.endswith("; HttpOnly; Path=/; SameSite=strict")
    assert token not in cookie
    page = visitor.get("/").text
    assert '<a href="/studies/digits">digits</a>' in page
    assert "signed in as <strong>reader" in page
    assert visitor.get("/v1/studies").status_code == 200


def test_behind_tls_the_cookie_is_sent_by_tls_only(service: Service, token: str) -> None:
    headers = {"Sec-Fetch-Site": "same-origin", "Origin": "https://tuning.example.org"}
    answer = Visitor(service).request("POST", "/sign-in", data={"token": token}, headers=headers)
    assert "; Secure" in answer.headers["set-cookie"]


@pytest.mark.parametrize("end", ["sign out", "revoke", "restart"])
def test_a_session_ends(service: Service, end: str) -> None:
    visitor = Visitor(service)
    visitor.sign_in(create(service.context.settings.address, name=end[:4], scope=Scope.READ).text)
    if end == "sign out":
        answer = visitor.request("POST", "/sign-out", headers=OURS)
        assert (answer.status_code, "Max-Age=0" in answer.headers["set-cookie"]) == (303, True)
    elif end == "revoke":
        revoke(service.context.settings.address, end[:4])
    else:
        service.context.sessions.end(visitor.headers["Cookie"].partition("=")[2])
    assert visitor.get("/v1/studies").status_code == 401
    assert 'name="token"' in visitor.get("/").text
    away = visitor.get("/studies/digits?space=private", accept="text/html")
    assert (away.status_code, away.headers["location"]) == (
        303,
        "/?next=%2Fstudies%2Fdigits%3Fspace%3Dprivate",
    )


@pytest.mark.parametrize(
    ("target", "leads_to"),
    [
        ("/studies/digits?space=private", "/studies/digits?space=private"),
        ("/optuna/dashboard", "/optuna/dashboard"),
        ("//evil.example", "/"),
        ("/studies//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("https://evil.example", "/"),
        ("/studies/a\r\nSet-Cookie: a=b", "/"),
        ("/v1/studies", "/"),
    ],
)
def test_signing_in_leads_to_pages_of_this_service_only(
    service: Service, token: str, target: str, leads_to: str
) -> None:
    visitor = Visitor(service)
    assert visitor.sign_in(token, next=target) == 303
    assert visitor.answer.headers["location"] == leads_to


def test_wrong_tokens_are_bounded_together_with_those_of_programs(
    service: Service, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # However slow this machine is, none may be forgotten meanwhile.
    monkeypatch.setattr(service.context.guesses, "_per_second", 0.001)
    visitor = Visitor(service)
    codes = [visitor.sign_in(f"{token[:-1]}{number % 10}x") for number in range(12)]
    assert set(codes) == {401}
    assert "set-cookie" not in visitor.request("POST", "/sign-in", data={"token": "x"}).headers
    guesser = Api(service, "wrong")
    guesser.address = visitor.address
    codes = [guesser.get("/v1/studies").status_code for _ in range(10)]
    assert codes[-1] == 429
    # Also with the right one: whoever guesses must not learn that it is.
    answer = visitor.request("POST", "/sign-in", data={"token": token}, headers=OURS)
    assert (answer.status_code, "set-cookie" in answer.headers) == (429, False)
    assert int(answer.headers["retry-after"]) >= 1
    assert "too many wrong tokens" in answer.text


def test_open_pages_whose_session_is_over_do_not_shut_the_door(service: Service, token: str) -> None:
    stale = Visitor(service)
    stale.headers = {"Cookie": "autokd_session_8321=over"}
    assert {stale.get("/v1/studies").status_code for _ in range(30)} == {401}
    assert Visitor(service).sign_in(token) == 303


@pytest.mark.parametrize(
    "headers",
    [{}, {"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site", **OURS}],
)
def test_no_other_page_changes_anything_with_the_cookie(
    service: Service, token: str, headers: dict[str, str]
) -> None:
    visitor = Visitor(service)
    visitor.sign_in(token)
    for path in ("/sign-out", "/v1/jobs", "/v1/studies/digits", "/sign-in"):
        answer = visitor.request("POST", path, headers=headers)
        assert (answer.status_code, answer.json()["field"]) == (403, "Origin"), path
    assert visitor.get("/v1/studies").status_code == 200


def test_another_site_can_sign_nobody_in(service: Service, token: str) -> None:
    headers = {"Origin": "https://evil.example"}
    answer = Visitor(service).request("POST", "/sign-in", data={"token": token}, headers=headers)
    assert (answer.status_code, "set-cookie" in answer.headers) == (403, False)


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b'{"token": "x"}', "application/json", 415),
        (b"token=" + b"x" * 5000, "application/x-www-form-urlencoded", 413),
        (b"token=\xff", "application/x-www-form-urlencoded", 400),
        (b"&".join([b"a=b"] * 50), "application/x-www-form-urlencoded", 400),
        (b"", "application/x-www-form-urlencoded", 401),
    ],
)
def test_a_form_that_is_none_is_refused(service: Service, content: bytes, kind: str, status: int) -> None:
    answer = Visitor(service).request("POST", "/sign-in", content=content, headers={"Content-Type": kind})
    assert (answer.status_code, "<h1>" in answer.text) == (status, True)


def test_without_tokens_there_is_no_door(service: Service) -> None:
    service = Service(settings(service.context.settings.home, studies=(), no_auth=True))
    try:
        page = Visitor(service).get("/")
        assert (page.status_code, "/studies/digits" in page.text, "Sign out" in page.text) == (
            200,
            True,
            False,
        )
        foreign = Visitor(service).request("POST", "/sign-out", headers={"Sec-Fetch-Site": "cross-site"})
        assert foreign.status_code == 403
    finally:
        service.close()


def test_what_pages_load_is_kept_by_the_browser_under_its_content(service: Service) -> None:
    door = Visitor(service).get("/")
    assert "script-src 'self';" in door.headers["content-security-policy"]
    assert door.headers["referrer-policy"] == "same-origin"
    address = door.text.partition('<link rel="stylesheet" href="')[2].partition('"')[0]
    style = Visitor(service).get(address, accept_encoding="gzip")
    assert (style.status_code, style.headers["content-encoding"]) == (200, "gzip")
    assert "immutable" in style.headers["cache-control"]
    plain = Visitor(service).get("/assets/page.css", accept_encoding="identity")
    assert (plain.text, plain.headers["cache-control"]) == (style.text, "no-cache")
    for name in ("..%2F..%2Fapp.py", "nothing.js"):
        assert Visitor(service).get(f"/assets/{name}").status_code == 404
