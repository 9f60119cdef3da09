"""What is read over HTTP is what the command line prints."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from autokd.service.app import Service
from autokd.service.json_text import json_text
from autokd.workflows.export import export
from autokd.workflows.recommend import partners, predict, recommend_all
from autokd.workflows.result_table import pairs_csv
from autokd.workflows.status import status
from autokd.workspace import Workspace
from tests.service.conftest import STUDY, Api

PAIRS = "/v1/studies/small/pairs"


@pytest.fixture(scope="module")
def workspace(shared: Path) -> Workspace:
    return Workspace.open(STUDY, home=shared)


@pytest.fixture(scope="module")
def entries(workspace: Workspace) -> list[dict[str, Any]]:
    listed = [answer.to_json() for answer in recommend_all(workspace, workspace.pairs)]
    plain: list[dict[str, Any]] = json.loads(json.dumps(listed))
    return plain


def test_studies_are_listed_with_their_origin(api: Api) -> None:
    listed = {entry["name"]: entry for entry in api.json("/v1/studies")}
    assert {"digits", "digits_iid", "small"} <= listed.keys()
    assert (listed["digits"]["origin"], listed["small"]["origin"]) == ("shipped", "named")
    assert (listed["small"]["participants"], listed["small"]["pairs"]) == (4, 12)
    assert listed["digits"]["pairs"] == 90


def test_a_study_has_federation_participants_splits_and_cost(api: Api, workspace: Workspace) -> None:
    study = api.json("/v1/studies/small")
    expected = status(workspace).to_json()
    assert study["status"]["cost_of_sweep"] == expected["cost_of_sweep"]
    assert study["status"]["verdicts"] == {"default": 5, "tuned": 7}
    assert study["federation"]["name"] == "small-f25d0576"
    assert [participant["number"] for participant in study["federation"]["participants"]] == [0, 1, 2, 3]
    assert set(study["federation"]["splits"]) == {"validation", "confirmation", "test", "public"}


def test_a_study_that_is_not_prepared_has_its_recipe(api: Api) -> None:
    study = api.json("/v1/studies/digits")
    assert study["federation"] is None
    assert study["status"] is None
    assert study["recipe"]["federation"]["participants"] == 10


def test_pairs_are_those_of_the_command_line(api: Api, entries: list[dict[str, Any]]) -> None:
    assert api.json(PAIRS) == entries
    csv = api.get(PAIRS, accept="text/csv;q=0.9, application/json;q=0.1")
    assert csv.headers["content-type"] == "text/csv; charset=utf-8"
    assert csv.text == pairs_csv(entries)
    assert api.get(PAIRS, accept="image/png").status_code == 406


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("verdict=tuned", lambda entry: entry["verdict"] == "tuned"),
        ("verdict=none", lambda entry: False),
        ("student=2", lambda entry: entry["pair"]["student"] == 2),
        (
            "teacher=0&verdict=default",
            lambda entry: entry["pair"]["teacher"] == 0 and entry["verdict"] == "default",
        ),
    ],
)
def test_pairs_are_chosen(
    api: Api, entries: list[dict[str, Any]], query: str, wanted: Callable[[dict[str, Any]], bool]
) -> None:
    assert api.json(f"{PAIRS}?{query}") == [entry for entry in entries if wanted(entry)]


def test_a_pair_has_its_trials_and_curves(
    api: Api, workspace: Workspace, entries: list[dict[str, Any]]
) -> None:
    pair = api.json(f"{PAIRS}/0-1")
    assert pair["recommendation"] == next(
        entry for entry in entries if entry["pair"] == {"teacher": 0, "student": 1}
    )
    with workspace.open_store(create=False) as store:
        trials, reports = store.trials(pair["study"]), store.reports(pair["study"])
    assert [trial["state"] for trial in pair["trials"]] == [trial.state.value for trial in trials]
    for trial in pair["trials"]:
        curve = [(rung["epoch"], rung["accuracy"]) for rung in trial["curve"]]
        assert curve == [(report.epoch, report.accuracy) for report in reports[trial["number"]]]
    assert {run["stage"] for run in pair["runs"]} >= {"confirmation"}


def test_partners_and_predictions_are_those_of_the_command_line(api: Api, workspace: Workspace) -> None:
    assert api.json("/v1/studies/small/partners/2") == json.loads(
        json.dumps(partners(workspace, 2).to_json())
    )
    prediction = api.json("/v1/studies/small/predict?teacher=0&student=1")
    expected = predict(workspace, workspace.pair("0,1")).to_json()
    assert prediction["setting"] == expected["setting"]
    assert prediction["gain"]["mean"] == pytest.approx(expected["gain"]["mean"])


def test_the_report_is_the_page_and_may_run_its_own_scripts_only(api: Api) -> None:
    page = api.get("/v1/studies/small/report.html")
    assert page.status_code == 200
    assert "small-f25d0576" in page.text
    policy = page.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in policy
    assert "allow-same-origin" not in policy


def test_the_table_is_that_of_export(api: Api, workspace: Workspace, tmp_path: Path) -> None:
    answer = api.get("/v1/studies/small/export.parquet")
    assert answer.status_code == 200
    export(workspace, tmp_path / "table.parquet")
    assert pq.read_table(io.BytesIO(answer.content)).equals(pq.read_table(tmp_path / "table.parquet"))


@pytest.mark.parametrize(
    ("path", "status", "kind", "field"),
    [
        ("/v1/studies/none", 404, "unknown-name", "study"),
        ("/v1/studies/small?space=none", 404, "unknown-name", "search space"),
        ("/v1/studies/digits/pairs", 404, "not-tuned", None),
        ("/v1/studies/digits/pairs/4-9", 404, "not-tuned", None),
        ("/v1/studies/digits/export.parquet", 404, "not-tuned", None),
        ("/v1/studies/small/pairs/0-9", 404, "pair", "pair"),
        ("/v1/studies/small/pairs/1-1", 404, "pair", "pair"),
        ("/v1/studies/small/pairs/one-two", 422, "argument", "pair"),
        ("/v1/studies/small/partners/9", 404, "participant", "student"),
        ("/v1/studies/small/predict?teacher=1", 422, "argument", "student"),
        (f"{PAIRS}?verdict=good", 422, "argument", "verdict"),
        ("/v1/nothing", 404, "not-found", None),
    ],
)
def test_errors_are_problem_documents_with_field_and_way_out(
    api: Api, shared: Path, path: str, status: int, kind: str, field: str | None
) -> None:
    answer = api.get(path, x_request_id="a-request")
    problem = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, problem["status"]) == (status, status)
    assert problem["type"] == f"urn:autokd:problem:{kind}"
    assert problem.get("field") == field
    assert problem["instance"] == "urn:autokd:request:a-request"
    assert problem.get("way_out") or kind == "not-found"
    assert str(shared) not in answer.text


def test_a_record_is_read_once_until_the_store_changes(
    service: Service, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.json(PAIRS)
    store = service.context.opened.store

    def never(*_: object) -> None:
        raise AssertionError("read again")

    for name in ("trials", "runs", "bases"):
        monkeypatch.setattr(type(store), name, never)
    api.json(PAIRS)
    api.json("/v1/studies/small/partners/2")


def test_the_curve_of_a_run_that_diverged_can_be_sent() -> None:
    sent = json_text({"curve": ({"epoch": 1, "accuracy": None, "soft_loss": float("nan")},), "ä": 1})
    assert json.loads(sent) == {"curve": [{"epoch": 1, "accuracy": None, "soft_loss": None}], "ä": 1}
