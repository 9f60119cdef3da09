"""Optuna Dashboard, as `autokd dashboard` starts it, answers its own page and programs of this machine."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

import optuna
import pytest

from autokd.store import Store, sqlite_url
from autokd.workflows.dashboard.access import is_loopback, names_of
from tests.cli.conftest import PROGRAM

CHANGES = [
    ("POST", "/api/studies", '{"study_name": "forged", "directions": ["minimize"]}'),
    ("POST", "/api/studies/{study}/rename", '{"study_name": "renamed"}'),
    ("PUT", "/api/studies/{study}/note", '{"body": "forged", "version": 1}'),
    ("POST", "/api/trials/{study}/user-attrs", '{"user_attrs": {"a": 1}}'),
    ("POST", "/api/trials/{study}/tell", '{"state": "Complete", "values": [1.0]}'),
    ("DELETE", "/api/studies/{study}", ""),
    ("PATCH", "/api/studies/{study}", ""),
    ("POST", "/api/llm/trial_filter_query", "{}"),
]
STRANGE_HOSTS = [
    *("evil.example", "evil.example:{port}", "localhost.evil.example:{port}", "127.0.0.1.evil.example"),
    *("localhost@evil.example", "evil.example@localhost:{port}", "localhost:{port}:1", "localhost:x"),
    *("", " ", "http://localhost:{port}", "localhost/", "[::1", "10.0.0.1:{port}", "[fe80::1]:{port}"),
]


class Server:
    def __init__(self, port: int, database: Path) -> None:
        self.port, self.storage = port, f"sqlite:///{database}"
        (self.study,) = (summary._study_id for summary in optuna.get_all_study_summaries(self.storage))

    def ask(
        self, method: str, path: str, body: str = "", host: str | None = None, **headers: str
    ) -> tuple[int, bytes, Mapping[str, str]]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        connection.putrequest(method, path.format(study=self.study), skip_host=True)
        sent = {"Host": host or f"localhost:{self.port}", "Content-Type": "application/json", **named}
        for name, text in (sent | {"Content-Length": str(len(body))}).items():
            connection.putheader(name, text.format(port=self.port))
        connection.endheaders(body.encode())
        answer = connection.getresponse()
        response = answer.status, answer.read(), dict(answer.getheaders())
        connection.close()
        return response

    def names(self) -> list[str]:
        return [summary.study_name for summary in optuna.get_all_study_summaries(self.storage)]


@contextmanager
def served(folder: Path, *options: str) -> Iterator[Server]:
    home = folder / "home"
    home.mkdir()
    with Store.open(sqlite_url(home / "autokd.db"), create=True):
        pass
    optuna.create_study(storage=f"sqlite:///{home / 'autokd.db'}", study_name="digits/4->9")
    command = [str(PROGRAM), "dashboard", "--port", "0", "--home", str(home), *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            said = ""
            while not (match := re.search(r"http://\S+?:(\d+)/dashboard", said)):
                line = process.stderr.readline()
                assert line, said
                said += line
            yield Server(int(match[1]), home / "autokd.db")
        finally:
            process.terminate()
            process.communicate(timeout=60)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with served(tmp_path_factory.mktemp("read-only")) as server:
        yield server


@pytest.fixture(scope="module")
def writable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("writable")
    with served(folder, "--writable", "--host", "0.0.0.0", "--allow-host", "proxy.example") as server:
        yield server


@pytest.mark.parametrize("host", ["localhost", "localhost:{port}", "127.0.0.1:9", "LocalHost:8", "[::1]:1"])
def test_it_answers_by_its_own_names_on_any_port(server: Server, host: str) -> None:
    status, body, headers = server.ask("GET", "/api/studies", host=host)
    assert status == 200
    assert json.loads(body)["study_summaries"][0]["study_name"] == "digits/4->9"
    assert headers["X-Frame-Options"] == "DENY"


@pytest.mark.parametrize("host", STRANGE_HOSTS)
@pytest.mark.parametrize("path", ["/api/studies", "/dashboard", "/csv/{study}"])
def test_it_answers_by_no_other_name(server: Server, host: str, path: str) -> None:
    status, body, _ = server.ask("GET", path, host=host or " ")
    assert status == 421
    assert b"4->9" not in body
    assert "--allow-host" in json.loads(body)["reason"]


@pytest.mark.parametrize(("method", "path", "body"), CHANGES)
def test_it_changes_nothing(server: Server, method: str, path: str, body: str) -> None:
    status, answer, _ = server.ask(method, path, body)
    assert status == 403
    assert "--writable" in json.loads(answer)["reason"]
    assert server.names() == ["digits/4->9"]


def test_a_long_body_is_refused_as_well(server: Server) -> None:
    status, _, _ = server.ask("POST", "/api/studies", "x" * 60_000)
    assert status == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:1"},
        {"Origin": "http://localhost"},
        {"Origin": "file://localhost:{port}"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Origin": "http://localhost:{port}", "Sec_Fetch_Site": "cross-site"},
    ],
    ids=str,
)
def test_where_it_may_change_studies_other_sites_may_not(writable: Server, headers: dict[str, str]) -> None:
    for method, path, body in CHANGES:
        status, answer, _ = writable.ask(method, path, body, **headers)
        assert status == 403
        assert "another site" in json.loads(answer)["reason"]
    status, _, _ = writable.ask("POST", "/api/studies", "{}", host="evil.example", **headers)
    assert status == 421
    assert writable.names() == ["digits/4->9"]


def test_its_own_page_and_programs_may_change_them(writable: Server) -> None:
    made = '{{"study_name": "{}", "directions": ["minimize"]}}'
    own = {"Origin": "http://localhost:{port}", "Sec_Fetch_Site": "same-origin"}
    assert writable.ask("POST", "/api/studies", made.format("page"), **own)[0] == 201
    assert writable.ask("POST", "/api/studies", made.format("program"))[0] == 201
    proxied = {"host": "proxy.example", "Origin": "https://proxy.example"}
    assert writable.ask("POST", "/api/studies", made.format("proxy"), **proxied)[0] == 201
    assert {"page", "program", "proxy"} <= set(writable.names())
    for summary in optuna.get_all_study_summaries(writable.storage):
        if summary.study_name != "digits/4->9":
            assert writable.ask("DELETE", f"/api/studies/{summary._study_id}", **own)[0] == 204
    assert writable.names() == ["digits/4->9"]


@pytest.mark.parametrize("host", ["10.1.2.3:80", "[fe80::1]:8080", "proxy.example", "proxy.example:443"])
def test_on_all_of_the_machines_addresses_it_is_asked_for_by_them(writable: Server, host: str) -> None:
    assert writable.ask("GET", "/api/studies", host=host)[0] == 200
    assert writable.ask("GET", "/api/studies", host="evil.example")[0] == 421


def test_a_warning_says_what_others_can_do(tmp_path: Path) -> None:
    for host, expected in (("127.0.0.1", True), ("::1", True), ("127.9.9.9", True), ("LOCALHOST", True)):
        assert is_loopback(host) is expected
    for host in ("0.0.0.0", "", "10.0.0.1", "example.org"):
        assert not is_loopback(host)
    assert "evil.example" not in names_of("0.0.0.0")
    assert "mine.example" in names_of("Mine.Example")


def test_the_page_itself_works_read_only(server: Server) -> None:
    for path in ("/dashboard", "/api/meta", "/api/studies/{study}", "/csv/{study}"):
        assert server.ask("GET", path)[0] == 200
        assert server.ask("HEAD", path)[0] in (200, 405)
