"""Study recipes and files that come over HTTP: what is taken, and what is refused without a trace."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from autokd.config.study import StudyConfig
from autokd.config.yaml_text import parse
from autokd.core.access_token import Scope
from autokd.service.app import Service
from autokd.service.recipe_rules import placed, recipe_problems
from autokd.service.settings import ServiceSettings
from autokd.store import audit
from autokd.workflows.tokens import create
from tests.service.conftest import STUDY, Api, settings

YAML = {"Content-Type": "application/yaml"}
RECIPE = STUDY.read_text()
MINE = """
name: mine  # as they were sent
federation:
  name: mine
  participants:
    - architecture: {name: cnn, options: {path: kept}}
      checkpoint: 'models/a.pt'
      data: {kind: npz, path: a.npz}
    - architecture: {name: "hf:models/b"}
      checkpoint: none
      data: &b {kind: parquet, path: [b/one.parquet, "b/*.parquet"], indices: b.txt}
  splits: {kind: separate, validation: *b, confirmation: *b, test: *b}
distillation: {optimizer: sgd, learning_rate: 0.01, batch_size: 32, epochs: 10}
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("inputs") / "home"


@pytest.fixture(scope="module")
def service(home: Path) -> Iterator[Service]:
    opened = Service(settings(home, studies=(STUDY,), max_upload=1000, body_seconds=0.5), fresh_seconds=0)
    yield opened
    opened.close()


def client(service: Service, scope: Scope) -> Api:
    return Api(service, create(service.context.settings.address, name=f"of-{scope}", scope=scope).text)


@pytest.fixture(scope="module")
def api(service: Service) -> Api:
    return client(service, Scope.TUNE)


@pytest.fixture(scope="module")
def admin(service: Service) -> Api:
    return client(service, Scope.ADMIN)


def put(api: Api, path: str, content: str | bytes, headers: dict[str, str] | None = None) -> Any:
    return api.request("PUT", path, content=content, headers=YAML if headers is None else headers)


def test_a_recipe_is_checked_written_and_served(api: Api, service: Service, home: Path) -> None:
    taken = put(api, "/v1/studies/ours", RECIPE)
    assert taken.status_code == 201, taken.text
    assert (taken.json()["study"], taken.json()["problems"]) == ("ours", [])
    assert taken.json()["splits"]["confirmation"] == 200
    assert len(taken.json()["participants"]) == 4
    file = home / "recipes" / "ours.yaml"
    assert file.read_text() == RECIPE
    assert file.stat().st_mode & 0o777 == 0o600
    assert api.json("/v1/studies/ours")["recipe"]["federation"]["participants"] == 4
    (line,) = audit.lines(service.context.opened.store, limit=1)
    assert (line.what, line.subject, line.data["new"]) == ("study.put", "ours", True)
    assert line.data["sha256"] == hashlib.sha256(RECIPE.encode()).hexdigest()
    assert sorted(entry.name for entry in file.parent.iterdir()) == ["ours.yaml"]


@pytest.mark.parametrize(
    ("content", "headers", "status", "field"),
    [
        (RECIPE.replace("epochs: 4", "epochs: many"), YAML, 422, "distillation.epochs"),
        (RECIPE.replace("space: default", "space: ../default.yaml"), YAML, 422, "space"),
        ("name: [", YAML, 422, "line 1, column 8"),
        ("- a", YAML, 422, ""),
        ("{}", {"Content-Type": "application/json"}, 422, "name"),
        ("{", {"Content-Type": "application/json"}, 400, "body"),
        (b"\xff\xfe", YAML, 400, "body"),
        (RECIPE, {"Content-Type": "text/plain"}, 415, "Content-Type"),
        (RECIPE, {}, 415, "Content-Type"),
        ("a: &a [x]\nb: " + "[*a, " * 60 + "*a" + "]" * 60, YAML, 422, None),
    ],
)
def test_a_recipe_that_is_not_valid_is_refused_and_not_written(
    api: Api, home: Path, content: str | bytes, headers: dict[str, str], status: int, field: str | None
) -> None:
    answer = put(api, "/v1/studies/wrong", content, headers)
    assert answer.status_code == status, answer.text
    assert field is None or answer.json()["field"] == field
    assert str(home) not in answer.text
    assert not (home / "recipes" / "wrong.yaml").exists()


@pytest.mark.parametrize(("name", "status"), [("digits", 409), ("small", 409), ("..", 404), (".a", 422)])
def test_names_that_others_have_are_not_taken(api: Api, name: str, status: int) -> None:
    assert put(api, f"/v1/studies/{name}", RECIPE).status_code in (status, 405)


def test_paths_start_from_the_data_root_and_all_else_stays_as_it_was_sent(tmp_path: Path) -> None:
    text = placed(MINE, source="mine.yaml", root=tmp_path)
    assert "# as they were sent" in text
    assert "options: {path: kept}" in text
    config = StudyConfig.model_validate(parse(text, source="mine.yaml")).model_dump(mode="json")
    first, second = config["federation"]["participants"]
    assert (first["checkpoint"], first["data"]["path"]) == (f"{tmp_path}/models/a.pt", f"{tmp_path}/a.npz")
    assert (second["checkpoint"], second["architecture"]["name"]) == ("none", f"hf:{tmp_path}/models/b")
    assert second["data"]["path"] == [f"{tmp_path}/b/one.parquet", f"{tmp_path}/b/*.parquet"]
    assert second["data"]["indices"] == f"{tmp_path}/b.txt"
    assert placed(text, source="mine.yaml", root=tmp_path) == text


def problems_of(root: Path, text: str, *allowed: str) -> dict[str, str]:
    """What may not be named, by field."""
    text = placed(text, source="mine.yaml", root=root)
    config = StudyConfig.model_validate(parse(text, source="mine.yaml"))
    problems = recipe_problems(config, source="mine.yaml", root=root, allowed=allowed)
    return {problem.field: problem.problem for problem in problems}


A = "federation.participants.0"


@pytest.mark.parametrize(
    ("old", "new", "field", "words"),
    [
        ("models/a.pt", "/etc/passwd", f"{A}.checkpoint", "outside of the data root"),
        ("models/a.pt", "../a.pt", f"{A}.checkpoint", "neither .. nor ~"),
        ("models/a.pt", "a/../../a.pt", f"{A}.checkpoint", "neither .. nor ~"),
        ("models/a.pt", "~/a.pt", f"{A}.checkpoint", "neither .. nor ~"),
        ("models/a.pt", "linked/secret", f"{A}.checkpoint", "a link leads out"),
        ("path: a.npz", "path: secret.npz", f"{A}.data.path", "a link leads out"),
        ("{kind: npz, path: a.npz}", "{kind: folder, path: folder}", f"{A}.data.path", "a link leads out"),
        ("b/*.parquet", "lin*/*", "federation.participants.1.data.path", "a link leads out"),
        ("b/*.parquet", "/*/*", "federation.participants.1.data.path", "outside"),
        ("indices: b.txt", "indices: ../b.txt", "federation.splits.test.indices", "neither .. nor ~"),
        ("name: cnn", "name: 'os:system'", f"{A}.architecture.name", "--allow-code os"),
        ("name: cnn", "name: mine.nets:make", f"{A}.architecture.name", "--allow-code mine"),
        ("name: cnn", "name: transformers.utils:os.system", f"{A}.architecture.name", "with dots"),
        # A package that autokd knows by itself is a way to all that it imports, too.
        ("name: cnn", "name: timm.models:os.system", f"{A}.architecture.name", "--allow-code timm"),
        ("name: cnn", "name: timm.models:load_checkpoint", f"{A}.architecture.name", "--allow-code timm"),
        ("name: cnn", "name: timm:create_model", f"{A}.architecture.name", "--allow-code timm"),
        (
            "{kind: npz, path: a.npz}",
            "{kind: code, factory: 'subprocess:run'}",
            f"{A}.data.factory",
            "--allow-code subprocess",
        ),
        ('"hf:models/b"', '"hf:/etc"', "federation.participants.1.architecture.name", "outside"),
        (
            "{kind: npz, path: a.npz}",
            "{kind: torchvision, dataset: MNIST, root: a, download: true}",
            f"{A}.data.download",
            "nothing is downloaded",
        ),
        ("name: mine  #", "space: /etc/x.yaml\nname: mine  #", "space", "a shipped one"),
    ],
)
def test_data_outside_of_the_root_and_code_are_refused_with_their_field(
    tmp_path: Path, old: str, new: str, field: str, words: str
) -> None:
    root = tmp_path / "root"
    (root / "folder").mkdir(parents=True)
    for link in ("linked", "secret.npz", "folder/image.png"):
        (root / link).symlink_to("/etc")
    assert problems_of(root, MINE, "transformers") == {}
    assert old in MINE
    problems = problems_of(root, MINE.replace(old, new), "transformers")
    assert words in problems[field]


def test_code_of_an_allowed_package_is_taken(tmp_path: Path) -> None:
    text = MINE.replace("name: cnn", "name: mine.nets:make")
    assert problems_of(tmp_path, text, "transformers", "mine") == {}
    assert problems_of(tmp_path, MINE.replace("name: cnn", "name: timm:resnet18"), "transformers") == {}
    assert problems_of(tmp_path, text.replace("mine.nets", "mined.nets"), "transformers", "mine")
    assert "transformers" in problems_of(tmp_path, MINE)["federation.participants.1.architecture.name"]


def test_a_file_is_put_below_the_data_root_and_replaced_by_an_admin_only(
    api: Api, admin: Api, service: Service, home: Path
) -> None:
    answer = put(api, "/v1/files/hospital-a/train.npz", b"abc")
    assert (answer.status_code, answer.json()) == (
        201,
        {"path": "hospital-a/train.npz", "bytes": 3, "sha256": hashlib.sha256(b"abc").hexdigest()},
    )
    file = home / "data" / "hospital-a" / "train.npz"
    assert (file.read_bytes(), file.stat().st_mode & 0o777) == (b"abc", 0o600)
    assert put(api, "/v1/files/hospital-a/train.npz", b"other").status_code == 409
    assert file.read_bytes() == b"abc"
    assert put(admin, "/v1/files/hospital-a/train.npz", b"other").status_code == 200
    assert file.read_bytes() == b"other"
    (line,) = audit.lines(service.context.opened.store, limit=1)
    assert (line.what, line.subject, line.data["bytes"]) == ("file.put", "hospital-a/train.npz", 5)
    listed = admin.json("/v1/audit?limit=2")
    assert [entry["what"] for entry in listed] == ["file.put", "file.put"]
    assert api.get("/v1/audit").status_code == 403


@pytest.mark.parametrize(
    "path",
    [
        "../a",
        "..%2Fa",
        "a%2F..%2F..%2Fb",
        "%2Fetc%2Fpasswd",
        "/etc/passwd",
        "a//b",
        "a/",
        ".ssh/a",
        "a%00b",
        "a\\b",
        "~root",
        "/".join("abcdefghijk"),
        "a" * 200,
        "",
        "%F0%9F%99%82",
    ],
)
def test_files_of_other_names_are_refused(api: Api, home: Path, path: str) -> None:
    before = sorted(home.parent.rglob("*"))
    answer = put(api, f"/v1/files/{path}", b"x")
    # The client makes the shortest form of a path with dots in it.
    assert answer.status_code in (404, 405, 422), answer.text
    assert sorted(home.parent.rglob("*")) == before


def test_links_folders_and_large_files_are_refused(api: Api, home: Path) -> None:
    data = home / "data"
    data.mkdir(exist_ok=True)
    (data / "out").symlink_to(home.parent)
    (data / "alink").symlink_to(home / "autokd.db")
    (data / "folder").mkdir()
    before = sorted(map(str, home.rglob("*")))
    database = (home / "autokd.db").stat().st_size
    for path in ("out/a", "alink", "folder", "alink/a"):
        assert put(api, f"/v1/files/{path}", b"x").status_code == 409, path
    for content in (b"x" * 1001, iter_bytes()):
        assert put(api, "/v1/files/large.npz", content).status_code == 413
    assert sorted(map(str, home.rglob("*"))) == before
    assert (home / "autokd.db").stat().st_size == database


async def iter_bytes() -> Any:
    """A body whose length nobody has announced."""
    for _ in range(11):
        yield b"x" * 100


def test_who_may_only_read_puts_nothing(service: Service, home: Path) -> None:
    reader = client(service, Scope.READ)
    for path in ("/v1/studies/theirs", "/v1/files/theirs"):
        assert put(reader, path, RECIPE).status_code == 403
    assert not (home / "recipes" / "theirs.yaml").exists()
    assert not (home / "data" / "theirs").exists()


@pytest.mark.parametrize("root", ["home", ".", "home/recipes", "home/federations/data"])
def test_a_data_root_that_reaches_what_the_service_keeps_is_refused(tmp_path: Path, root: str) -> None:
    with pytest.raises(ValueError, match="uploads would reach what the service itself keeps"):
        ServiceSettings(home=tmp_path / "home", data_root=tmp_path / root)
    for fine in (tmp_path / "data", tmp_path / "home" / "data", tmp_path / "home" / "data" / "more"):
        assert ServiceSettings(home=tmp_path / "home", data_root=fine).root == fine


def test_a_recipe_of_another_place_tells_it_to_nobody(api: Api, home: Path) -> None:
    (home / "data").mkdir(exist_ok=True)
    text = placed(MINE.replace('"hf:models/b"', "cnn"), source="mine.yaml", root=home / "data")
    (home / "recipes").mkdir(exist_ok=True)
    (home / "recipes" / "told.yaml").write_text(text)
    answer = api.get("/v1/studies/told")
    assert answer.status_code == 200, answer.text
    assert answer.json()["recipe"]["federation"]["participants"][0]["data"]["path"] == "a.npz"
    assert str(home) not in answer.text
    assert os.sep + "home" not in json.dumps(answer.json()["recipe"])
    # Its files are missing, which the check alone finds; what is there stays.
    refused = put(api, "/v1/studies/told", text.replace("name: mine ", "name: yours "))
    assert refused.status_code == 422
    assert {problem["file"] for problem in refused.json()["problems"]} == {"told.yaml"}
    assert refused.json()["problems"][0]["field"] == "federation.participants.0.data"
    assert "a.npz" in refused.json()["problems"][0]["problem"]
    assert str(home) not in refused.text
    assert (home / "recipes" / "told.yaml").read_text() == text
    assert not list((home / "recipes").glob(".*"))
