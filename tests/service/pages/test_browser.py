"""What a team does in a browser, in a real Chromium with a real job: sign in, start, watch, open, cancel."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

from autokd.core.access_token import Scope
from autokd.service.app import Service
from autokd.workflows.tokens import create
from benchmarks.screen import Screen, chromium
from tests import browser
from tests.service.conftest import settings
from tests.service.serving import served_in_a_thread

# Other tests may use all cores meanwhile; alone it takes some 20 seconds.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

RECIPE = Path(__file__).parent / "ten.yaml"
PAGE = "/studies/ten"
CELL = "document.querySelector('#action').parentElement.querySelector('a[href=\"{}/pairs/{}\"] span')"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """The address of a service in a thread, and a token that may tune."""
    browser.chromium()
    (tmp_path / "home" / "recipes").mkdir(parents=True)
    shutil.copy(RECIPE, tmp_path / "home" / "recipes")
    service = Service(settings(tmp_path / "home", studies=()))
    token = create(service.context.settings.address, name="tuner", scope=Scope.TUNE).text
    with served_in_a_thread(service) as address:
        yield address, token


async def patient(screen: Screen, condition: str, seconds: float = 720) -> None:
    for _ in range(int(seconds / 30)):
        try:
            await screen.wait_for(condition)
        except TimeoutError:
            continue
        return
    state = await screen.run("document.querySelector('#work').innerText")
    raise TimeoutError(f"{condition} never came true: {state}")


async def used(address: str, token: str, pictures: Path | None = None) -> dict[str, Any]:
    """What the page says after each step."""
    said: dict[str, Any] = {}
    async with chromium() as screen:
        await screen.open(f"{address}{PAGE}")
        await screen.wait_for("document.querySelector('[name=token]')")
        await screen.run(f"document.querySelector('[name=token]').value = {token!r}")
        await screen.run("document.querySelector('.sign-in button').click()")
        await screen.wait_for(f"location.pathname === {PAGE!r} && document.querySelector('[data-start]')")
        await screen.wait_for("document.readyState === 'complete'")
        await screen.run("window.mine = 'still here'")
        await screen.run("document.querySelector('[name=pairs]').value = '4,9 9,4'")
        await screen.run("document.querySelector('[name=trials]').value = '2'")
        await screen.run("document.querySelector('[data-start] button').click()")
        await screen.wait_for("document.querySelector('[data-answer]').textContent")
        said["started"] = await screen.run("document.querySelector('[data-answer]').textContent")
        for pair in ("4-9", "9-4"):
            await patient(screen, CELL.format(PAGE, pair))
        await patient(screen, "document.querySelector('[data-job=\"1\"] .succeeded')")
        said["page"] = await screen.run("window.mine")
        await screen.run(f"{CELL.format(PAGE, '4-9')}.closest('a').click()")
        await screen.wait_for("document.querySelector('#pair-4-9[data-drawn]')")
        panel = "document.querySelector('#pair-4-9')"
        said["panel"] = await screen.run(f"{panel}.innerText")
        said["shown"] = await screen.run(f"getComputedStyle({panel}).display")
        said["figures"] = await screen.run(f"{panel}.querySelectorAll('.js-plotly-plot').length")
        said["trials"] = await screen.run(f"{panel}.querySelectorAll('.trials tbody tr').length")
        said["gains"] = await screen.run(
            "[...document.querySelectorAll('.of-pairs tbody tr')]"
            ".map((row) => [row.cells[0].innerText, row.cells[2].dataset.sort])"
        )
        await screen.run("document.querySelector('[name=pairs]').value = 'all'")
        await screen.run("document.querySelector('[data-start] button').click()")
        await screen.wait_for("document.querySelector('[data-cancel=\"2\"]')")
        await screen.run("document.querySelector('[data-cancel=\"2\"]').click()")
        await patient(screen, "document.querySelector('[data-job=\"2\"] .cancelled')")
        said["retry"] = await screen.run(
            "document.querySelector('[data-job=\"2\"] [data-retry]').dataset.retry"
        )
        await screen.run("document.querySelector('[name=pairs]').value = '4,4'")
        await screen.run("document.querySelector('[data-start] button').click()")
        await screen.wait_for("document.querySelector('[data-answer]').className === 'problem'")
        said["refused"] = await screen.run("document.querySelector('[data-answer]').textContent")
        said["complaints"] = [
            text for text in screen.complaints if "'level': 'error'" in text or "exception" in text
        ]
        said["asked"] = {request.removeprefix(address) for request in screen.requests}
    return said


def test_a_batch_is_started_watched_and_cancelled_in_the_browser(served: tuple[str, str]) -> None:
    address, token = served
    said = asyncio.run(used(address, token))
    assert said["started"] == "Job 1 is queued."
    assert said["page"] == "still here"
    assert said["shown"] == "block"
    assert (said["figures"], said["trials"]) == (3, 2)
    with httpx.Client(
        base_url=address, headers={"Authorization": f"Bearer {token}"}, trust_env=False
    ) as client:
        entries = client.get("/v1/studies/ten/pairs").json()
        pair = client.get("/v1/studies/ten/pairs/4-9").json()
    judged = {
        f"{entry['pair']['teacher']}->{entry['pair']['student']}": entry["decision"]["gain"]["mean"]
        for entry in entries
        if entry["verdict"] is not None
    }
    assert {name: float(gain) for name, gain in said["gains"]} == pytest.approx(judged, abs=1e-4)
    assert {"4->9", "9->4"} <= set(judged)
    assert pair["recommendation"]["advice"] in said["panel"]
    assert "4,4" in said["refused"]
    assert '"pairs": "all"' in said["retry"]
    # The refusal is told by the browser, too.
    assert [text for text in said["complaints"] if "422" not in text] == []
    assert all(path.startswith("/") for path in said["asked"])
