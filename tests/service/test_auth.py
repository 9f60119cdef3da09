"""Who is let in, and how often."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import Request

from autokd.core.access_token import Scope, new_token
from autokd.service.app import Service
from autokd.service.auth import wants
from autokd.service.problems import Problem
from autokd.service.rates import Rates
from autokd.workflows.tokens import create, revoke
from tests.service.conftest import Api, settings

HERE = "http://localhost:8321"
"""Two slashes at the beginning of a path would be read as those before a host."""


@pytest.fixture
def service(home: Path) -> Iterator[Service]:
    """A service on an empty home."""
    opened = Service(settings(home, studies=()))
    # As `autokd serve` does: a readiness check waits for no table to be made.
    opened.context.opened.store.federations()
    yield opened
    opened.close()


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wrong tokens are not counted."""
    monkeypatch.setattr("autokd.service.auth._GUESSES", 1000.0)


def test_health_needs_no_token_and_all_else_does(patient: None, service: Service) -> None:
    nobody = Api(service)
    assert nobody.get("/healthz").json() == {"status": "ok"}
    assert nobody.get("/readyz").json()["checks"] == {"store": True, "disk": True}
    paths = [route["path"] for route in _operations(service) if route["path"] not in ("/healthz", "/readyz")]
    assert len(paths) >= 9
    for path in (*paths, "/openapi.json", "/nothing", "/healthz/", f"{HERE}//healthz", "/HEALTHZ"):
        answer = nobody.get(
            path.replace("{name}", "digits").replace("{pair}", "4-9").replace("{student}", "9")
        )
        assert answer.status_code == 401, path
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert answer.json()["way_out"]


def _operations(service: Service) -> list[dict[str, str]]:
    return [{"path": path} for path in service.api.openapi()["paths"]]


@pytest.mark.parametrize(
    "name", ["unknown", "cut", "of another scheme", "twice the scheme", "expired", "revoked", "hash"]
)
def test_a_token_that_does_not_hold_is_refused_without_a_reason(service: Service, name: str) -> None:
    address = service.context.settings.address
    made = create(address, name="a", scope=Scope.ADMIN, seconds=-1 if name == "expired" else None)
    authorization = {
        "unknown": f"Bearer {new_token()[0]}",
        "cut": f"Bearer {made.text[:-1]}",
        "of another scheme": f"Basic {made.text}",
        "twice the scheme": f"Bearer Bearer {made.text}",
        "hash": f"Bearer {made.stored.digest}",
    }.get(name, f"Bearer {made.text}")
    if name == "revoked":
        assert Api(service, made.text).get("/v1/studies").status_code == 200
        revoke(address, "a")
    answer = Api(service).get("/v1/studies", authorization=authorization)
    assert answer.status_code == 401
    assert answer.json()["detail"] == "the request has no token that holds"
    assert made.text not in answer.text


def test_a_scope_includes_those_before_it_and_no_other(service: Service) -> None:
    def request(scope: Scope) -> Request:
        return Request({"type": "http", "state": {"token": _stored(service, scope)}})

    wants(Scope.TUNE)(request(Scope.ADMIN))
    wants(Scope.TUNE)(request(Scope.TUNE))
    with pytest.raises(Problem, match="read, which does not include tune") as caught:
        wants(Scope.TUNE)(request(Scope.READ))
    assert (caught.value.status, caught.value.way_out) == (403, "use a token made with --scope tune")


def _stored(service: Service, scope: Scope) -> object:
    return create(service.context.settings.address, name=f"of-{scope}", scope=scope).stored


def test_without_tokens_only_names_of_this_machine_are_answered(home: Path) -> None:
    service = Service(settings(home, studies=(), no_auth=True))
    try:
        api = Api(service)
        for host in ("localhost:8321", "127.0.0.1", "[::1]:8321"):
            assert api.get("/v1/studies", host=host).status_code == 200
        for host in ("evil.example", "localhost.evil.example:8321", "10.0.0.1", ""):
            answer = api.get("/v1/studies", host=host)
            assert (answer.status_code, answer.json()["field"]) == (421, "Host")
    finally:
        service.close()


def test_requests_and_guesses_are_bounded(home: Path) -> None:
    service = Service(settings(home, studies=(), rate=1))
    try:
        made = create(service.context.settings.address, name="a", scope=Scope.READ)
        api = Api(service, made.text)
        answers = [api.get("/v1/studies") for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert int(answers[-1].headers["retry-after"]) >= 1
        service.context.guesses._per_second = 0.001
        codes = [Api(service, "wrong").get("/v1/studies").status_code for _ in range(25)]
        assert (codes[0], codes[-1]) == (401, 429)
    finally:
        service.close()


def test_a_bucket_fills_with_time_and_is_its_owners() -> None:
    now = 0.0
    rates = Rates(2.0, 3.0, clock=lambda: now)
    assert [rates.wait("a") for _ in range(4)] == [0, 0, 0, 0.5]
    assert rates.is_empty("a")
    assert rates.wait("b") == 0
    now = 0.5
    assert [rates.wait("a") for _ in range(2)] == [0, 0.5]
    now = 1000.0
    assert [rates.wait("a") for _ in range(4)] == [0, 0, 0, 0.5]


def test_pages_of_other_origins_read_only_if_they_are_named(home: Path, service: Service) -> None:
    origin = "https://tuning.example.org"
    asking = {"Origin": origin, "Access-Control-Request-Method": "GET"}
    answer = Api(service).request("OPTIONS", "/v1/studies", headers=asking)
    assert "access-control-allow-origin" not in answer.headers
    named = Service(settings(home, studies=(), cors=(origin,)))
    try:
        answer = Api(named).request("OPTIONS", "/v1/studies", headers=asking)
        assert answer.headers["access-control-allow-origin"] == origin
        other = Api(named).request(
            "OPTIONS", "/v1/studies", headers={**asking, "Origin": "https://evil.example"}
        )
        assert "access-control-allow-origin" not in other.headers
    finally:
        named.close()


def test_a_store_that_does_not_answer_is_said_so(service: Service, home: Path) -> None:
    token = create(service.context.settings.address, name="a", scope=Scope.READ).text
    assert Api(service, token).get("/v1/studies").status_code == 200
    (home / "autokd.db").unlink()
    (home / "autokd.db").mkdir()
    answer = Api(service, token).get("/v1/studies")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert str(home) not in answer.text
    ready = Api(service).get("/readyz")
    assert (ready.status_code, ready.json()["checks"]["store"]) == (503, False)
