"""What others write to the store, to the home and to recipes is in the next answer."""

from __future__ import annotations

import json
import math
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from autokd.core.access_token import Scope
from autokd.service.app import Service
from autokd.service.views import OpenStudy
from autokd.store import Store
from autokd.store.jobs import Jobs
from autokd.workflows.recommend import recommend_all
from autokd.workflows.status import status
from autokd.workflows.tokens import create
from autokd.workspace import Workspace
from tests.service.conftest import STUDY, Api, settings, unpacked
from tests.service.serving import until

PAIRS = "/v1/studies/small/pairs"


@dataclass(frozen=True)
class Busy:
    """A service, a client of it, and the store, to which another process writes."""

    service: Service
    api: Api
    store: Store

    @property
    def view(self) -> Any:
        return self.service.context.views._view("small", None)

    def change(self) -> None:
        """Begin a trial of pair 0->1, and wait until the service looks for changes again."""
        study = self.api.json(f"{PAIRS}/0-1")["study"]
        first = self.store.trials(study)[0]
        seed = first.seed + len(self.store.trials(study))
        opened = self.service.context.opened
        marks = opened.snapshot().marks[study]
        self.store.begin_trial(study, first.setting, seed=seed, role=first.role, distributions={})
        until(lambda: opened.snapshot().marks[study] != marks)


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    service = Service(settings(unpacked(tmp_path)), fresh_seconds=0)
    token = create(service.context.settings.address, name="reader", scope=Scope.READ).text
    yield Api(service, token)
    service.close()


def test_a_trial_of_another_process_is_seen(api: Api) -> None:
    service = api.service.context.settings
    before, listed = api.json(f"{PAIRS}/0-1"), api.json(PAIRS)
    with Store.open(service.address) as other:
        first = other.trials(before["study"])[0]
        seed = first.seed + 77
        other.begin_trial(before["study"], first.setting, seed=seed, role=first.role, distributions={})
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


@pytest.fixture
def busy(tmp_path: Path) -> Iterator[Busy]:
    service = Service(settings(unpacked(tmp_path)))
    api = Api(service, create(service.context.settings.address, name="tuner", scope=Scope.TUNE).text)
    with Store.open(service.context.settings.address) as store:
        yield Busy(service, api, store)
    service.close()


def test_an_answer_is_told_for_some_seconds_while_much_changes_but_not_after_the_end_of_a_job(
    busy: Busy,
) -> None:
    before = busy.api.json(f"{PAIRS}/0-1")
    # As after an answer that took long.
    busy.view.pause = math.inf
    busy.change()
    assert busy.api.json(f"{PAIRS}/0-1") == before
    job, _ = Jobs(busy.store).add(what="tune", study="small", recipe="r", request={}, who="a")
    assert busy.api.json(f"/v1/jobs/{job.id}")["state"] == "queued"
    assert busy.api.json(f"{PAIRS}/0-1") == before
    Jobs(busy.store).cancel(job.id, "a")
    assert busy.api.json("/v1/jobs")[0]["state"] == "cancelled"
    after = busy.api.json(f"{PAIRS}/0-1")
    assert len(after["trials"]) == len(before["trials"]) + 1
    # The same end is no news.
    busy.view.pause = math.inf
    busy.change()
    assert busy.api.json("/v1/jobs")[0]["state"] == "cancelled"
    assert busy.api.json(f"{PAIRS}/0-1") == after
    # Nobody who asks waits for the next answer.
    with busy.view.lock:
        busy.view.pause = -math.inf
        assert busy.api.json(f"{PAIRS}/0-1") == after
    until(lambda: len(busy.api.json(f"{PAIRS}/0-1")["trials"]) == len(after["trials"]) + 1)


def test_what_goes_wrong_beside_is_told_once_the_former_answer_is_too_old(
    busy: Busy, monkeypatch: pytest.MonkeyPatch
) -> None:
    views, failed = busy.service.context.views, threading.Event()
    assert views.answer("small", None, "mine", lambda study: 1) == 1

    def fail(study: OpenStudy) -> int:
        failed.set()
        raise ValueError("broken")

    busy.change()
    busy.view.pause = -math.inf
    assert views.answer("small", None, "mine", fail) == 1
    assert failed.wait(60)
    monkeypatch.setattr(views, "_longest", 0.0)
    with pytest.raises(ValueError, match="broken"):
        views.answer("small", None, "mine", fail)


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
