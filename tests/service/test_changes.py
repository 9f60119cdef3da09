"""Every address that changes something: who may, from which page, and that it leaves a line in the store.

The addresses are read off the application, so one that is added has to be put into the table here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest
from starlette.routing import Mount

from autokd.core.access_token import AccessToken, Scope
from autokd.service import recipes
from autokd.service.app import Service
from autokd.service.origins import HARMLESS
from autokd.service.subprocesses import Printed
from autokd.store import audit
from autokd.store.jobs import Jobs
from autokd.workflows.tokens import create
from tests.service.conftest import STUDY, Api

JSON = {"Content-Type": "application/json"}
YAML = {"Content-Type": "application/yaml"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JOB = b'{"what": "tune", "study": "digits", "pairs": ["4,9"]}'


@dataclass(frozen=True)
class Change:
    """A request that is answered well, and the kind of line that it leaves; None if it changes no store."""

    path: str
    line: str | None
    content: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    needs: Scope | None = Scope.TUNE


CHANGES = {
    ("POST", "/v1/jobs"): Change("/v1/jobs", "job.add", JOB, JSON),
    ("POST", "/v1/jobs/{id}/cancel"): Change("/v1/jobs/1/cancel", "job.cancel"),
    ("PUT", "/v1/studies/{name}"): Change("/v1/studies/ours", "study.put", STUDY.read_bytes(), YAML),
    ("PUT", "/v1/files/{path:path}"): Change("/v1/files/a/b.npz", "file.put", b"abc"),
    # It only prints: see tests/service/test_commands.py for what it may.
    ("POST", "/v1/commands"): Change("/v1/commands", None, b"{}", JSON, Scope.READ),
    # A session gives nothing that its token does not give.
    ("POST", "/sign-in"): Change("/sign-in", None, b"token=a", FORM, None),
    ("POST", "/sign-out"): Change("/sign-out", None, needs=None),
}


@pytest.fixture(scope="module")
def admin(idle: Service) -> AccessToken:
    return create(idle.context.settings.address, name="admin", scope=Scope.ADMIN).stored


def state(idle: Service) -> tuple[object, ...]:
    """All that changes: files, jobs, and lines about changes."""
    home: Path = idle.context.settings.home
    files = sorted(str(file) for file in home.rglob("*") if not file.name.startswith("autokd.db"))
    store = idle.context.opened.store
    jobs = [(job.id, job.state, job.asked_to_cancel) for job in Jobs(store).jobs()]
    return files, jobs, [line.id for line in audit.lines(store)]


def test_the_table_has_every_address_that_changes_something(idle: Service) -> None:
    included = [getattr(route, "original_router", None) for route in idle.api.routes]
    routes = [*idle.api.routes, *(route for router in included if router for route in router.routes)]
    changing = {
        (method, str(getattr(route, "path", "")))
        for route in routes
        for method in getattr(route, "methods", None) or ()
        if method not in HARMLESS
    }
    assert changing == set(CHANGES)
    # What is mounted has addresses of its own.
    assert [str(route.path) for route in routes if isinstance(route, Mount)] == ["/optuna"]


@pytest.mark.parametrize("change", CHANGES.values(), ids=lambda change: change.path)
@pytest.mark.parametrize(
    "page",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://["},
        {"Origin": "http://localhost:8321.evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://localhost:8321"},
    ],
    ids=str,
)
def test_no_page_of_another_site_changes_anything(
    idle: Service, tuner: Api, admin: AccessToken, change: Change, page: dict[str, str]
) -> None:
    before, method = state(idle), _method(change)
    session = idle.context.sessions.start(admin)
    cookie = {"Cookie": f"autokd_session_8321={session}"}
    # A form can be sent from anywhere, whatever it holds.
    for sender in (tuner.headers, change.headers, {**cookie, **change.headers}, {**cookie, **FORM}):
        headers = {**sender, **page}
        answer = Api(idle).request(method, change.path, content=change.content, headers=headers)
        assert answer.status_code == 403, (sender, answer.text)
        assert answer.json()["field"] == "Origin"
        assert "set-cookie" not in answer.headers
    assert state(idle) == before


@pytest.mark.parametrize("change", CHANGES.values(), ids=lambda change: change.path)
def test_a_session_is_used_by_pages_only(idle: Service, admin: AccessToken, change: Change) -> None:
    """A form of an old browser names no page at all; with a cookie it is refused, too."""
    before, method = state(idle), _method(change)
    session = idle.context.sessions.start(admin)
    headers = {"Cookie": f"autokd_session_8321={session}", **change.headers}
    answer = Api(idle).request(method, change.path, content=change.content, headers=headers)
    assert (answer.status_code, answer.json()["field"]) == (403, "Origin")
    assert state(idle) == before


@pytest.mark.parametrize(
    "change", [change for change in CHANGES.values() if change.needs], ids=lambda change: change.path
)
def test_without_a_token_or_with_a_smaller_scope_nothing_is_changed(
    idle: Service, reader: Api, admin: AccessToken, change: Change
) -> None:
    before, method = state(idle), _method(change)
    answer = Api(idle).request(method, change.path, content=change.content, headers=change.headers)
    assert answer.status_code == 401
    if change.needs is Scope.TUNE:
        answer = reader.request(method, change.path, content=change.content, headers=change.headers)
        assert (answer.status_code, answer.json()["type"]) == (403, "urn:autokd:problem:scope")
        # The token that is sent counts, and not the session of somebody who may do more.
        session = idle.context.sessions.start(admin)
        both = {**change.headers, "Cookie": f"autokd_session_8321={session}"}
        answer = reader.request(method, change.path, content=change.content, headers=both)
        assert answer.status_code == 403
    assert state(idle) == before


def test_every_change_leaves_a_line(idle: Service, tuner: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    async def checked(*_: object, **__: object) -> Printed:
        return Printed(0, b'{"study": "", "problems": [], "warnings": [], "participants": []}', b"")

    # That check is a process of its own, and has tests of its own.
    monkeypatch.setattr(recipes, "run_autokd", checked)
    store = idle.context.opened.store
    for (method, _), change in CHANGES.items():
        before = audit.lines(store)
        answer = tuner.request(
            method,
            change.path,
            content=change.content,
            headers={**change.headers, "X-Request-ID": "mine"},
        )
        lines = [line for line in audit.lines(store) if line not in before]
        if change.line is None:
            assert lines == [], change.path
            continue
        assert answer.is_success, answer.text
        assert [(line.what, line.who, line.request) for line in lines] == [(change.line, "tuner", "mine")]
        # Once more: a change that is none leaves no line.
        if change.line == "job.cancel":
            assert tuner.request(method, change.path).is_success
            assert audit.lines(store)[0] == lines[0]


def _method(change: Change) -> str:
    return next(method for (method, _), each in CHANGES.items() if each is change)
