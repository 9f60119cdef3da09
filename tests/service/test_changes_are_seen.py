"""What others write to the store, to the home and to recipes is in the next answer."""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from autokd.core.access_token import Scope
from autokd.service.app import Service
from autokd.store import Store
from autokd.store.jobs import Jobs
from autokd.workflows.recommend import recommend_all
from autokd.workflows.status import status
from autokd.workflows.tokens import create
from autokd.workspace import Workspace
from tests.service.conftest import STUDY, Api, settings, unpacked
from tests.service.serving import until

PAIRS = "/v1/studies/small/pairs"


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    service = Service(settings(unpacked(tmp_path)), fresh_seconds=0)
    token = create(service.context.settings.address, name="reader", scope=Scope.READ).text
    yield Api(service, token)
    service.close()


def test_a_trial_of_another_process_is_seen(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    service = api.service.context.settings
    before, listed = api.json(f"{PAIRS}/0-1"), api.json(PAIRS)
    with Store.open(service.address) as other:
        first = other.trials(before["study"])[0]
        seed = first.seed + 77
        other.begin_trial(before["study"], first.setting, seed=seed, role=first.role, distributions={})
    # While somebody else has them judged anew, for a moment there is the former answer.
    view = api.service.context.views._view("small", None)
    monkeypatch.setattr("autokd.service.views._MOMENT_SECONDS", 1e9)
    with view.lock:
        assert api.json(PAIRS) == listed
    monkeypatch.setattr("autokd.service.views._MOMENT_SECONDS", 1.0)
    after = api.json(f"{PAIRS}/0-1")
    assert [trial["seed"] for trial in after["trials"]] == [
        *(trial["seed"] for trial in before["trials"]),
        seed,
    ]
    # What was kept of other pairs is what is read anew.
    workspace = Workspace.open(STUDY, home=service.home)
    anew = [answer.to_json() for answer in recommend_all(workspace, workspace.pairs)]
    assert api.json(PAIRS) == json.loads(json.dumps(anew))
    assert api.json(PAIRS) != listed
    assert api.json("/v1/studies/small")["status"]["verdicts"] == status(workspace).to_json()["verdicts"]


def test_an_answer_is_told_for_some_seconds_while_much_changes_but_not_after_the_end_of_a_job(
    tmp_path: Path,
) -> None:
    service = Service(settings(unpacked(tmp_path)))
    opened = service.context.opened
    api = Api(service, create(service.context.settings.address, name="tuner", scope=Scope.TUNE).text)
    before = api.json(f"{PAIRS}/0-1")
    # As after an answer that took long.
    service.context.views._view("small", None).pause = math.inf
    with Store.open(service.context.settings.address) as other:
        first = other.trials(before["study"])[0]
        other.begin_trial(
            before["study"], first.setting, seed=first.seed + 77, role=first.role, distributions={}
        )
        time.sleep(opened.fresh_seconds)
        assert api.json(f"{PAIRS}/0-1") == before
        job, _ = Jobs(other).add(what="tune", study="small", recipe="r", request={}, who="a")
        assert api.json(f"/v1/jobs/{job.id}")["state"] == "queued"
        assert api.json(f"{PAIRS}/0-1") == before
        Jobs(other).cancel(job.id, "a")
        assert api.json("/v1/jobs")[0]["state"] == "cancelled"
        after = api.json(f"{PAIRS}/0-1")
        assert len(after["trials"]) == len(before["trials"]) + 1
        # The same end is no news.
        other.begin_trial(
            before["study"], first.setting, seed=first.seed + 78, role=first.role, distributions={}
        )
        time.sleep(opened.fresh_seconds)
        assert api.json("/v1/jobs")[0]["state"] == "cancelled"
        assert api.json(f"{PAIRS}/0-1") == after
        until(lambda: api.json(f"{PAIRS}/0-1") != after, seconds=30)
    service.close()


def test_a_store_that_is_replaced_and_a_federation_that_is_deleted_are_seen(api: Api) -> None:
    home = api.service.context.settings.home
    assert api.json("/v1/studies/small")["status"]["verdicts"] == {"default": 5, "tuned": 7}
    copy = home / "copy.db"
    Store.open(f"sqlite:///{copy}").close()
    copy.replace(home / "autokd.db")
    for end in ("-wal", "-shm"):
        (home / f"autokd.db{end}").unlink(missing_ok=True)
    # The tokens were in the former store, too.
    assert api.get(PAIRS).status_code == 401
    token = create(api.service.context.settings.address, name="reader", scope=Scope.READ).text
    api.headers = {"Authorization": f"Bearer {token}"}
    assert all(entry["verdict"] is None for entry in api.json(PAIRS))
    shutil.rmtree(home / "federations")
    assert api.get(PAIRS).status_code == 404


def test_recipes_of_the_home_come_change_and_go(api: Api) -> None:
    folder = api.service.context.settings.home / "recipes"
    folder.mkdir()
    file = folder / "mine.yaml"
    shutil.copy(STUDY, file)
    (folder / "digits.yaml").write_text("name: another")
    (folder / "a b.yaml").write_text("name: another")
    listed = {entry["name"]: entry for entry in api.json("/v1/studies")}
    assert listed["mine"]["origin"] == "home"
    assert listed["digits"]["origin"] == "shipped"
    assert "a b" not in listed
    assert api.json("/v1/studies/mine")["status"] == api.json("/v1/studies/small")["status"]
    file.write_text("name: broken\n")
    problem = api.get("/v1/studies/mine/pairs")
    assert problem.status_code == 422
    assert {mistake["field"] for mistake in problem.json()["problems"]} == {"federation", "distillation"}
    listed = {entry["name"]: entry for entry in api.json("/v1/studies")}
    assert listed["mine"]["problems"][0]["file"] == "mine.yaml"
    file.unlink()
    assert api.get("/v1/studies/mine").status_code == 404


def test_reading_writes_nothing_but_tokens(api: Api) -> None:
    home = api.service.context.settings.home
    workspace = Workspace.open(STUDY, home=home)
    with workspace.open_store(create=False) as store:
        before = {name: (store.trials(name), store.recommendation(name)) for name in store.studies()}
    files = sorted(str(file) for file in home.rglob("*") if "autokd.db" not in file.name)
    for path in ("", "/pairs/0-1"):
        assert api.get(f"/v1/studies/small{path}").status_code == 200
    with workspace.open_store(create=False) as store:
        after = {name: (store.trials(name), store.recommendation(name)) for name in store.studies()}
    assert after == before
    assert sorted(str(file) for file in home.rglob("*") if "autokd.db" not in file.name) == files
