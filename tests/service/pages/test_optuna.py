"""Optuna Dashboard under an address of the service: for whom, and in a real browser."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from autokd.core.access_token import Scope
from autokd.service.app import Service
from autokd.store import Store
from autokd.workflows.dashboard import under_prefix
from autokd.workflows.dashboard.under_prefix import UnknownScript, bundle
from autokd.workflows.tokens import create
from benchmarks.screen import chromium
from tests import browser
from tests.service.conftest import Api, settings
from tests.service.serving import served_in_a_thread


def test_it_needs_a_token_and_changes_nothing(api: Api) -> None:
    nobody = Api(api.service)
    assert nobody.get("/optuna/api/studies").status_code == 401
    away = nobody.get("/optuna/dashboard", accept="text/html")
    assert (away.status_code, away.headers["location"]) == (303, "/?next=%2Foptuna%2Fdashboard")
    studies = api.json("/optuna/api/studies")["study_summaries"]
    assert len(studies) >= 12
    number = studies[0]["study_id"]
    for method, path in (
        ("POST", "/optuna/api/studies"),
        ("DELETE", f"/optuna/api/studies/{number}"),
        ("PUT", f"/optuna/api/studies/{number}/note"),
        ("POST", "/optuna/api/llm/trial_filter_query"),
        ("POST", "/optuna/dashboard"),
    ):
        assert api.request(method, path, json={}).status_code == 403, path
    assert api.json("/optuna/api/studies")["study_summaries"] == studies


def test_its_addresses_begin_with_that_of_the_service(api: Api) -> None:
    assert api.get("/optuna").headers["location"] == "/optuna/"
    assert api.get("/optuna/").headers["location"] == "/optuna/dashboard"
    page = api.get("/optuna/dashboard/studies/1")
    assert '"/optuna/static/bundle.js"' in page.text
    assert "script-src 'self'" in page.headers["content-security-policy"]
    assert page.headers["x-frame-options"] == "DENY"
    script = api.get("/optuna/static/bundle.js", accept_encoding="gzip")
    assert (script.status_code, script.headers["content-encoding"]) == (200, "gzip")
    assert "${this.baseURL}/api/" not in script.text
    assert script.text.count("${this.baseURL}/optuna/api/") > 10


def test_a_script_that_is_not_known_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(under_prefix, "_ADDRESSES", (("no such address", "{}"),))
    with pytest.raises(UnknownScript, match="run autokd dashboard"):
        bundle("/elsewhere")


@pytest.fixture
def served(shared: Path) -> Iterator[tuple[str, str]]:
    """The address of a service in a thread, and a token."""
    browser.chromium()
    service = Service(settings(shared))
    token = create(service.context.settings.address, name="looker", scope=Scope.READ).text
    with served_in_a_thread(service) as address:
        yield address, token


async def seen(address: str, token: str, study: int) -> tuple[str, str, list[str]]:
    async with chromium() as screen:
        await screen.open(f"{address}/optuna/")
        await screen.wait_for("document.querySelector('[name=token]')")
        await screen.run(f"document.querySelector('[name=token]').value = {token!r}")
        await screen.run("document.querySelector('.sign-in button').click()")
        await screen.wait_for("document.body && document.body.innerText.includes('/2->3')")
        everything = await screen.run("document.body.innerText")
        await screen.open(f"{address}/optuna/dashboard/studies/{study}")
        await screen.wait_for("document.body && document.body.innerText.includes('Hyperparameter')")
        return everything, await screen.run("location.pathname"), screen.requests


@pytest.mark.slow
def test_it_is_shown_in_the_browser(served: tuple[str, str], shared: Path) -> None:
    address, token = served
    with Store.open(f"sqlite:///{shared / 'autokd.db'}", create=False) as store:
        (name,) = (study for study in store.studies() if study.endswith("/2->3"))
        number = store.optuna_storage.get_study_id_from_name(name)
    everything, path, requests = asyncio.run(seen(address, token, number))
    assert everything.count("->") >= 12
    assert path == f"/optuna/dashboard/studies/{number}"
    paths = {request.removeprefix(address) for request in requests}
    assert f"/optuna/api/studies/{number}?after=0" in paths
    assert {path for path in paths if not path.startswith(("/optuna/", "/?", "/sign-in", "/assets/"))} <= {
        "/favicon.ico"
    }
