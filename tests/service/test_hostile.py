"""Requests of somebody who means harm: each is refused with the right status, and nothing leaks."""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from autokd.core.access_token import Scope
from autokd.service.app import Service
from autokd.service.envelope import JsonLines
from autokd.workflows.tokens import create
from tests.service.conftest import Api, settings

LONG = "a" * 5000


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "secret.yaml").write_text("password: hunter2")
    home = folder / "home"
    (home / "recipes").mkdir(parents=True)
    (home / "recipes" / "linked.yaml").symlink_to(folder / "secret.yaml")
    return home


@pytest.fixture(scope="module")
def api(home: Path) -> Iterator[Api]:
    service = Service(settings(home, studies=(), max_body=1000, body_seconds=0.2))
    yield Api(service, create(service.context.settings.address, name="reader", scope=Scope.READ).text)
    service.close()


@pytest.mark.parametrize(
    ("method", "path", "headers", "statuses"),
    [
        ("GET", "/v1/studies/../../secret", {}, {404}),
        ("GET", "/v1/studies/..%2F..%2Fsecret.yaml", {}, {404, 422}),
        ("GET", "/v1/studies/%2Fetc%2Fpasswd", {}, {404, 422}),
        ("GET", "/v1/studies/..", {}, {404, 422}),
        ("GET", "/v1/studies/digits%00.yaml", {}, {422}),
        ("GET", "/v1/studies/digits?space=../../secret.yaml", {}, {422}),
        ("GET", "/v1/studies/digits?space=/etc/passwd", {}, {422}),
        ("GET", "/v1/studies/linked", {}, {422}),
        ("GET", f"/v1/studies/{LONG}", {}, {422}),
        ("GET", "/v1/studies/digits/pairs/4-9%0d%0aSet-Cookie:%20a=b", {}, {422}),
        ("GET", "/v1/studies/digits/pairs/99999999999999999999-1", {}, {422}),
        ("GET", "/v1/studies/digits/predict?teacher=1e9&student=NaN", {}, {422}),
        ("GET", "/v1/studies/digits/pairs?student=-1", {}, {422}),
        ("GET", "/v1/studies/%3Cscript%3Ealert(1)%3C%2Fscript%3E", {}, {404, 422}),
        ("GET", "/v1/studies/digits/pairs", {"Accept": ";q=" + "9" * 1000}, {406}),
        ("GET", "/v1/studies", {"Authorization": f"Bearer {LONG}"}, {401}),
        ("GET", "/v1/studies", {"X-Request-ID": 'a"\\evil <b>'}, {200}),
        ("POST", "/v1/studies", {}, {405}),
        ("POST", "/v1/studies", {"Origin": "https://evil.example"}, {403}),
        ("POST", "/v1/jobs", {"Origin": "null"}, {403}),
        ("DELETE", "/v1/studies/digits", {}, {405}),
        ("TRACE", "/v1/studies", {}, {405}),
        ("GET", "/v1/studies/digits/", {}, {404}),
    ],
)
def test_hostile_requests_are_refused(
    api: Api, home: Path, method: str, path: str, headers: dict[str, str], statuses: set[int]
) -> None:
    before = files(home.parent)
    answer = api.request(method, path, headers=headers)
    assert answer.status_code in statuses, answer.text
    assert "hunter2" not in answer.text
    assert str(home.parent) not in answer.text
    assert "Traceback" not in answer.text
    assert "set-cookie" not in answer.headers
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "evil" not in answer.headers["x-request-id"]
    assert files(home.parent) == before


@pytest.fixture(scope="module")
def tuner(api: Api) -> Api:
    """A client that may change something, and means harm."""
    address = api.service.context.settings.address
    return Api(api.service, create(address, name="tuner", scope=Scope.TUNE).text)


JOB = {"what": "tune", "study": "digits", "pairs": ["4,9"]}
DEEP = "[" * 400 + "]" * 400
BODY = {"Content-Type": "application/json"}
YAML = {"Content-Type": "application/yaml"}


@pytest.mark.parametrize(
    ("method", "path", "headers", "content", "statuses"),
    [
        ("POST", "/v1/jobs", BODY, json.dumps({**JOB, "study": "../secret"}), {422}),
        ("POST", "/v1/jobs", BODY, json.dumps({**JOB, "study": "linked"}), {422}),
        ("POST", "/v1/jobs", BODY, json.dumps({**JOB, "space": "/etc/passwd"}), {422}),
        ("POST", "/v1/jobs", BODY, json.dumps({**JOB, "pairs": ["4,9; rm -rf /"]}), {422}),
        ("POST", "/v1/jobs", BODY, json.dumps({**JOB, "pairs": ["<script>alert(1)</script>"]}), {422}),
        ("POST", "/v1/jobs", BODY, json.dumps({**JOB, "try": ["__import__('os')"]}), {422}),
        ("POST", "/v1/jobs", BODY, json.dumps({**JOB, "out": "/etc/cron.d/x"}), {422}),
        ("POST", "/v1/jobs", BODY, json.dumps({**JOB, "trials": 10**30}), {422}),
        ("POST", "/v1/jobs", BODY, '{"what": "tune", "study": "digits", "trials": NaN}', {400, 422}),
        ("POST", "/v1/jobs", BODY, f'{{"what": "tune", "study": {DEEP}}}', {400, 422}),
        ("POST", "/v1/jobs", BODY, "x" * 1001, {413}),
        ("POST", "/v1/jobs", {"Content-Type": "text/plain"}, json.dumps(JOB), {415, 422}),
        ("POST", "/v1/jobs", {**BODY, "Origin": "https://evil.example"}, json.dumps(JOB), {403}),
        ("POST", "/v1/jobs", {**BODY, "Idempotency-Key": "a" * 201}, json.dumps(JOB), {422}),
        ("GET", "/v1/jobs/..%2F..%2Fsecret", {}, "", {404, 422}),
        ("GET", "/v1/jobs/99999999999999999999", {}, "", {422}),
        ("GET", "/v1/jobs/1/../../secret", {}, "", {404}),
        ("GET", "/v1/jobs/1/model", {"Range": "bytes=-99999999999999999999"}, "", {404}),
        ("GET", "/v1/jobs/1/events", {"Last-Event-ID": "1' OR '1'='1"}, "", {404, 422}),
        ("GET", "/v1/jobs?state=queued'--", {}, "", {422}),
        ("PUT", "/v1/files/..%2F..%2Fsecret.yaml", {}, "x", {422}),
        ("PUT", "/v1/files/a%0d%0aSet-Cookie:%20a=b", {}, "x", {404, 422}),
        ("PUT", "/v1/studies/linked", YAML, "name: a", {409}),
        (
            "PUT",
            "/v1/studies/a",
            YAML,
            "!!python/object/apply:os.system [ls]",
            {422},
        ),
        ("PUT", "/v1/studies/<b>", YAML, "name: a", {422}),
        ("GET", "/v1/audit", {}, "", {403}),
    ],
)
def test_hostile_changes_are_refused(
    tuner: Api,
    home: Path,
    method: str,
    path: str,
    headers: dict[str, str],
    content: str,
    statuses: set[int],
) -> None:
    before = files(home.parent)
    answer = tuner.request(method, path, headers=headers, content=content)
    assert answer.status_code in statuses, answer.text
    for secret in ("hunter2", str(home.parent), "Traceback"):
        assert secret not in answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert "set-cookie" not in answer.headers
    assert files(home.parent) == before
    assert tuner.json("/v1/jobs") == []


def files(folder: Path) -> list[str]:
    """All files but those that SQLite has while its database is open."""
    return sorted(str(file) for file in folder.rglob("*") if not file.name.startswith("autokd.db-"))


NAMES = ["digits", "none", "..", "%2e%2e%2f", "%00", "%ff", "a" * 70, "{name}", "<b>", "\u202e", "", "null"]
ENDS = ["", "/", "/pairs", "/pairs/{}", "/partners/{}", "/predict", "/report.html", "/export.parquet", "/no"]
VALUES = [
    "0",
    "-1",
    "1e3",
    "4-9",
    "1-1",
    "999999-1",
    "+1-2",
    "\u0661-2",
    "NaN",
    "true",
    "tuned",
    "none",
    "private",
]


ODD: list[Any] = [
    None,
    True,
    -1,
    10**40,
    0.5,
    "",
    "0",
    "\u202e",
    "digits",
    "tune",
    "4,9",
    "all",
    [],
    ["4,9"],
    [[]],
    {},
    {"": 1},
]
FIELDS = [
    "what",
    "study",
    "pairs",
    "pair",
    "student",
    "teachers",
    "space",
    "trials",
    "try",
    "budget",
    "setting",
]
ROUTES = [
    ("POST", "/v1/jobs"),
    ("GET", "/v1/jobs/{}"),
    ("POST", "/v1/jobs/{}/cancel"),
    ("GET", "/v1/jobs/{}/events"),
    ("GET", "/v1/jobs/{}/model"),
    ("GET", "/v1/jobs/{}/card"),
    ("PUT", "/v1/studies/{}"),
    ("PUT", "/v1/files/{}"),
]


def test_no_odd_change_is_a_defect(tuner: Api, home: Path) -> None:
    """Every answer has a status below 500, every error is a problem document, and every job can be read."""
    draw = random.Random(2)
    for _ in range(200):
        method, path = draw.choice(ROUTES)
        path = path.format(draw.choice([*VALUES, "1", "2"]))
        fields = {name: draw.choice(ODD) for name in draw.sample(FIELDS, draw.randrange(6))}
        usual = {"what": draw.choice(["tune", "sweep", "explain", "distill"]), "study": "digits"}
        body = {**usual, **fields} if draw.random() < 0.8 else draw.choice(ODD)
        headers = {"Content-Type": "application/json", "Range": draw.choice(["bytes=0-1", "x", "bytes=9-"])}
        answer = tuner.request(method, path, content=json.dumps(body), headers=headers)
        assert answer.status_code < 500, (method, path, body, answer.text)
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["status"] == answer.status_code
        if answer.status_code == 202:
            assert tuner.get(answer.headers["location"]).status_code == 200
    assert sorted(entry.name for entry in (home / "recipes").iterdir()) == ["linked.yaml"]


def test_no_odd_request_is_a_defect(api: Api) -> None:
    """Every answer has a status below 500, and every error is a problem document."""
    draw = random.Random(1)
    for _ in range(200):
        path = f"/v1/studies/{draw.choice(NAMES)}{draw.choice(ENDS).format(draw.choice(VALUES))}"
        asked = ("verdict", "student", "teacher", "space", "more")
        query = "&".join(f"{draw.choice(asked)}={draw.choice(VALUES)}" for _ in range(draw.randrange(4)))
        answer = api.get(f"{path}?{query}", accept=draw.choice(["*/*", "text/csv", ";", "a/b;q=2"]))
        assert answer.status_code < 500, (path, query, answer.text)
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["status"] == answer.status_code


def test_an_error_of_ours_tells_nothing(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("hunter2")

    monkeypatch.setattr(api.service.context.catalogue, "studies", broken)
    answer = api.get("/v1/studies")
    assert answer.status_code == 500
    assert "hunter2" not in answer.text
    assert answer.json()["instance"] == f"urn:autokd:request:{answer.headers['x-request-id']}"


def test_what_is_logged_is_one_line_of_json_without_token_and_query(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "autokd.service")
    api.get("/v1/studies/%0A%1B%5B31m%E2%80%AE?space=hunter2", x_request_id="mine")
    (record,) = [record for record in caplog.records if hasattr(record, "facts")]
    line = JsonLines().format(record)
    assert line.isascii()
    assert line.isprintable()
    assert "hunter2" not in line
    facts = json.loads(line)
    assert (facts["request"], facts["token"], facts["status"]) == ("mine", "reader", 422)
    assert api.headers["Authorization"].partition(" ")[2] not in line


def _asked(api: Api, receive: Any, *headers: tuple[bytes, bytes]) -> int:
    """Status of a POST whose body is what `receive` gives."""
    sent: list[dict[str, Any]] = []
    authorization = api.headers["Authorization"].encode()

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "path": "/echo",
        "raw_path": b"/echo",
        "query_string": b"",
        "root_path": "",
        "scheme": "http",
        "server": ("localhost", 8321),
        "client": ("127.0.0.1", 1),
        "headers": [(b"host", b"localhost"), (b"authorization", authorization), *headers],
    }
    asyncio.run(api.service(scope, receive, send))
    status: int = sent[0]["status"]
    return status


@pytest.fixture
def echo(api: Api) -> Iterator[None]:
    """An address that reads a body, as those that take recipes will."""
    routes = api.service.api.router.routes
    before = list(routes)

    @api.service.api.post("/echo")
    def read(body: dict[str, Any]) -> dict[str, Any]:
        return body

    yield
    routes[:] = before


@pytest.mark.usefixtures("echo")
def test_bodies_that_are_large_endless_or_slow_are_refused(api: Api) -> None:
    async def endless() -> dict[str, Any]:
        return {"type": "http.request", "body": b"x" * 400, "more_body": True}

    async def never() -> dict[str, Any]:
        await asyncio.sleep(60)
        return {"type": "http.request", "body": b"", "more_body": False}

    json_type = (b"content-type", b"application/json")
    assert _asked(api, endless, json_type) == 413
    assert _asked(api, endless, json_type, (b"content-length", b"99999999")) == 413
    assert _asked(api, never, json_type) == 408


def test_a_websocket_is_closed(api: Api) -> None:
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(api.service({"type": "websocket", "path": "/", "headers": []}, receive, send))
    assert [message["type"] for message in sent] == ["websocket.close"]
