"""What somebody tries who has read the source: nothing is written, nothing told, and others are served on."""

from __future__ import annotations

import asyncio
import gzip
import json
import shutil
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from autokd.core.access_token import Scope
from autokd.service import commands
from autokd.service.app import Service
from autokd.service.catalogue import KnownStudy
from autokd.service.commands import CommandRequest, Commands
from autokd.service.subprocesses import Printed
from autokd.workflows.tokens import create
from tests.service.conftest import STUDY, Api, settings

JSON = {"Content-Type": "application/json"}
YAML = {"Content-Type": "application/yaml"}
PAGE = {"Accept": "text/html"}
JOB: dict[str, Any] = {"what": "tune", "study": "digits", "pairs": ["4,9"]}
RECIPE = STUDY.read_text()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a recipe that cannot be used, beside a file that is nobody's business."""
    folder = tmp_path_factory.mktemp("attacks")
    (folder / "secret").write_text("hunter2")
    (folder / "home" / "recipes").mkdir(parents=True)
    recipe = RECIPE.replace("space: default", f"space: {folder}/home/none.yaml")
    (folder / "home" / "recipes" / "broken.yaml").write_text(recipe)
    return folder / "home"


@pytest.fixture(scope="module")
def service(home: Path) -> Iterator[Service]:
    opened = Service(settings(home, studies=(), max_upload=1000, body_seconds=0.5), fresh_seconds=0)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def tuner(service: Service) -> Api:
    return Api(service, create(service.context.settings.address, name="tuner", scope=Scope.TUNE).text)


def written(home: Path) -> list[str]:
    return sorted(str(file) for file in home.parent.rglob("*") if not file.name.startswith("autokd.db"))


class Attack(NamedTuple):
    """A request, and the statuses that it may be answered by."""

    method: str
    path: str
    statuses: set[int]
    content: str | bytes = b""
    headers: dict[str, str] = {}  # noqa: RUF012


def job(**fields: Any) -> str:
    return json.dumps({**JOB, **fields})


def recipe(old: str, new: str) -> str:
    assert old in RECIPE
    return RECIPE.replace(old, new)


EXTERNAL = """
name: mine
federation:
  name: mine
  participants:
    - &a {architecture: {name: cnn}, checkpoint: PATH, data: &d {kind: npz, path: a.npz}}
    - *a
  splits: {kind: separate, validation: *d, confirmation: *d, test: *d}
distillation: {optimizer: sgd, learning_rate: 0.01, batch_size: 32, epochs: 10}
"""
SMUGGLED = EXTERNAL.replace("PATH", "../secret").replace("federation:", "<<:\n federation:", 1)
BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
PATHS = {
    "a device": "/dev/zero",
    "a process": "/proc/self/environ",
    "standard input": "/dev/stdin",
    "a folded text": ">-\n        /etc/passwd",
    "a literal text": "|\n        ../../secret",
    "upwards after a name": "a/../../../secret",
    "a home": "~root/.ssh/id_rsa",
    "a zero byte": '"a\\0b"',
}
PUT = "/v1/studies/evil"
ATTACKS = {
    "a host that is none, for a page": Attack("GET", "/studies/digits", {303}, b"", {"Host": "[", **PAGE}),
    "a host that is none, at the door": Attack(
        "POST",
        "/sign-in",
        {401, 429},
        b"token=a",
        {"Host": "[", "Content-Type": "application/x-www-form-urlencoded"},
    ),
    "an origin that is none": Attack("POST", "/v1/jobs", {403}, job(), {**JSON, "Origin": "http://["}),
    "half a character as a name": Attack("POST", "/v1/jobs", {422}, job(study="\ud800"), JSON),
    "half a character as a field": Attack("POST", "/v1/jobs", {422}, job(**{"\ud800": 1}), JSON),
    "half a character in a list": Attack("POST", "/v1/jobs", {422}, job(pairs=["\ud800"]), JSON),
    "half a character in a recipe": Attack(
        "PUT", PUT, {422}, json.dumps({"name": "\ud800"}), {"Content-Type": "application/json"}
    ),
    "a field that turns the line": Attack("POST", "/v1/jobs", {422}, job(**{"\u202e\n": 1}), JSON),
    "lists in lists": Attack("POST", "/v1/jobs", {400, 422}, f'{{"a": {"[" * 950}{"]" * 950}}}', JSON),
    "lists in lists in a list": Attack(
        "POST", "/v1/jobs", {400, 422}, f'{{"a": {"[" * 90_000}{"]" * 90_000}}}', JSON
    ),
    "fields in fields": Attack("POST", "/v1/jobs", {400, 422}, '{"a":' * 900 + "1" + "}" * 900, JSON),
    "a number of 5,000 digits": Attack("POST", "/v1/jobs", {400, 422}, f'{{"a": {"9" * 5000}}}', JSON),
    "a number that is infinite": Attack(
        "POST", "/v1/jobs", {422}, '{"what": "tune", "study": "digits", "budget": {"seconds": 1e999}}', JSON
    ),
    "a name twice": Attack("POST", "/v1/jobs", {422}, '{"what": "tune", "what": "x"}', JSON),
    "more pairs than there are": Attack("POST", "/v1/jobs", {422}, job(pairs=["4,9"] * 10_001), JSON),
    "a packed body": Attack(
        "POST", "/v1/jobs", {400, 422}, gzip.compress(job().encode()), {**JSON, "Content-Encoding": "gzip"}
    ),
    "a packed recipe": Attack(
        "PUT", PUT, {400}, gzip.compress(RECIPE.encode()), {**YAML, "Content-Encoding": "gzip"}
    ),
    "a form as a job": Attack("POST", "/v1/jobs", {415, 422}, b"what=tune&study=digits&pairs=all"),
    "a recipe that grows": Attack("PUT", PUT, {422}, BOMB, YAML),
    "a recipe that holds itself": Attack("PUT", PUT, {422}, "a: &a {b: *a}", YAML),
    "a second document": Attack("PUT", PUT, {422}, f"{RECIPE}\n---\n{RECIPE}", YAML),
    "a field twice": Attack("PUT", PUT, {422}, f"{RECIPE}\nname: other\n", YAML),
    "a federation by a merge key": Attack("PUT", PUT, {422}, SMUGGLED, YAML),
    "an object": Attack("PUT", PUT, {422}, "name: !!python/name:os.system ''", YAML),
    "a file that YAML includes": Attack("PUT", PUT, {422}, "name: !include /etc/passwd", YAML),
    "a space in a file": Attack("PUT", PUT, {422}, recipe("space: default", "space: /etc/passwd"), YAML),
    "a name in full width": Attack("GET", "/v1/studies/\uff44igits", {404, 422}),
    "a name with nothing between": Attack("GET", "/v1/studies/digits%E2%80%8B", {404, 422}),
    "a name that ends the line": Attack("PUT", "/v1/studies/evil%0A", {422}, RECIPE, YAML),
    "a recipe beside": Attack("PUT", "/v1/studies/..%2F..%2Fevil", {404, 405, 422}, RECIPE, YAML),
    "a file that is hidden": Attack("PUT", "/v1/files/.ssh%2Fauthorized_keys", {422}, b"x"),
    "a file too large, in new folders": Attack("PUT", "/v1/files/new/folders/a.npz", {413}, b"x" * 1001),
    "ten thousand tags": Attack("GET", "/v1/jobs/1/model", {404, 422}, b"", {"If-None-Match": '"a",' * 9999}),
    "ten thousand ranges": Attack(
        "GET", "/v1/jobs/1/model", {404, 422}, b"", {"Range": f"bytes={'0-0,' * 9999}1-1"}
    ),
    "another method by a header": Attack(
        "GET", "/v1/jobs/1/cancel", {405}, b"", {"X-HTTP-Method-Override": "POST"}
    ),
    "a method of one's own": Attack("BREW", "/v1/jobs", {403, 405}),
    "only the head": Attack("HEAD", "/v1/studies", {405}),
    "a place of the machine, on a page": Attack("GET", "/studies/broken", {404, 422}, b"", PAGE),
    "a place of the machine, on a pair's": Attack("GET", "/studies/broken/pairs/0-1", {404, 422}),
    "a place of the machine, in a job": Attack("POST", "/v1/jobs", {422}, job(study="broken"), JSON),
    "Optuna's files": Attack("GET", "/optuna/static/..%2f..%2f..%2f..%2f..%2fetc%2fpasswd", {403, 404}),
    "Optuna's artifacts": Attack("GET", "/optuna/artifacts/1/1/..%2f..%2fautokd.db", {404}),
    "a study in Optuna": Attack("POST", "/optuna/api/studies", {403}, b'{"study_name": "x"}', JSON),
    **{
        f"a path: {name}": Attack("PUT", PUT, {422}, EXTERNAL.replace("PATH", path), YAML)
        for name, path in PATHS.items()
    },
    **{
        f"a path as {field}": Attack("POST", "/v1/jobs", {404, 422}, body, JSON)
        for field, body in {
            "study": job(study="/etc/passwd"),
            "space": job(space="../../secret"),
            "pairs": job(pairs=["/etc/passwd,@/etc/passwd"]),
            "teacher": job(pairs=None, teacher="file:///etc/passwd"),
            "student": job(pairs=None, student="/proc/self/environ"),
            "teachers": job(pairs=None, student="9", teachers="@/etc/passwd"),
            "position": job(position="/dev/stdin"),
            "effort": job(effort="../x"),
            "try": job(**{"try": ["T=/etc/passwd"]}),
            "setting": job(what="distill", pairs=None, pair="4,9", setting={"transfer_set": "/etc/passwd"}),
            "target": job(what="distill", pairs=None, pair="4,9", target="/etc/passwd"),
        }.items()
    },
}


@pytest.mark.parametrize("name", ATTACKS)
def test_attacks_are_refused_without_a_trace(tuner: Api, home: Path, name: str) -> None:
    attack, before = ATTACKS[name], written(home)
    as_nobody = Api(tuner.service)
    sender = as_nobody if "Host" in attack.headers else tuner
    answer = sender.request(attack.method, attack.path, content=attack.content, headers=attack.headers)
    assert answer.status_code in attack.statuses, (answer.status_code, answer.text)
    received = f"{answer.text} {answer.headers}"
    for secret in ("hunter2", str(home), str(home.parent), "Traceback", "root:"):
        assert secret not in received
    left = [path for path in written(home) if path not in before and path != str(home / "data")]
    assert left == []
    assert tuner.json("/v1/jobs") == []


def test_no_place_of_the_machine_is_in_lists(tuner: Api, home: Path) -> None:
    for answer in (tuner.get("/v1/studies"), tuner.get("/", accept="text/html")):
        assert answer.status_code == 200
        assert "broken" in answer.text
        assert str(home.parent) not in answer.text


def test_what_commands_print_has_no_place_of_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def printed(*_: object, **__: object) -> Printed:
        return Printed(3, f"{tmp_path}/data/a.npz".encode(), f"nothing under {tmp_path}".encode())

    monkeypatch.setattr(commands, "run_autokd", printed)
    asked = CommandRequest.model_validate({"command": "status", "study": "small"})
    study = KnownStudy("small", "shipped", "small")
    said = asyncio.run(Commands(settings(tmp_path)).run(asked, study))
    assert (said.exit_code, said.output, said.errors) == (3, "a.npz", "nothing under the home")


@pytest.mark.parametrize(
    "target",
    [
        "//evil.example",
        "/\\evil.example",
        "https://evil.example",
        "/studies/..//evil.example",
        "/studies/a%0d%0aSet-Cookie:%20a=b\r\nX: y",
        "/studies/@evil.example",
        "javascript:alert(1)",
        "/v1/jobs",
        " /studies/digits",
    ],
)
def test_signing_in_leads_to_pages_of_the_service_only(service: Service, tuner: Api, target: str) -> None:
    fields = {"token": tuner.headers["Authorization"].partition(" ")[2], "next": target}
    answer = Api(service).request(
        "POST", "/sign-in", data=fields, headers={"Origin": "http://localhost:8321"}
    )
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert "x" not in answer.headers


def test_guesses_of_one_network_count_together(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service.context.guesses, "_per_second", 0.001)
    codes = []
    for number in range(25):
        visitor = Api(service, "wrong")
        visitor.address = f"2001:db8:1:2::{number:x}"
        codes.append(visitor.get("/v1/studies").status_code)
    assert (codes[0], codes[-1]) == (401, 429)
    other = Api(service, "wrong")
    other.address = "2001:db8:1:3::1"
    assert other.get("/v1/studies").status_code == 401
    mapped = Api(service, "wrong")
    mapped.address = "::ffff:192.0.2.1"
    assert mapped.get("/v1/studies").status_code == 401


def test_pages_of_pairs_that_do_not_exist_are_not_kept(tuner: Api) -> None:
    for number in range(20):
        assert tuner.get(f"/studies/digits/pairs/{number:06}-99", accept="text/html").status_code == 404
    assert not tuner.service.api.state.pages.contents._making


def test_no_more_jobs_than_servers_can_look_at_are_taken(
    service: Service, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("autokd.service.resources.jobs._MOST_WAITING", 1)
    own = Service(settings(tmp_path / "home", studies=()))
    try:
        api = Api(own, create(own.context.settings.address, name="tuner", scope=Scope.TUNE).text)
        answers = [api.request("POST", "/v1/jobs", json=JOB) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [202, 429]
        assert answers[1].json()["type"] == "urn:autokd:problem:queue"
        assert len(api.json("/v1/jobs")) == 1
    finally:
        own.close()


def test_an_upload_for_which_the_room_goes_while_it_comes_is_refused(
    service: Service, tuner: Api, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("autokd.service.uploads._LOOK_BYTES", 10)
    free = iter([2**40, 2**40, 0])
    monkeypatch.setattr(shutil, "disk_usage", lambda _: type("", (), {"free": next(free, 0)})())
    before = written(home)

    async def pieces() -> AsyncGenerator[bytes, None]:
        for _ in range(5):
            yield b"x" * 10

    answer = tuner.request("PUT", "/v1/files/new/a.npz", content=pieces())
    assert (answer.status_code, answer.json()["type"]) == (507, "urn:autokd:problem:disk")
    assert [path for path in written(home) if path not in before and path != str(home / "data")] == []
