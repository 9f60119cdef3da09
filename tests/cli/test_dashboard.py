"""Optuna Dashboard as `autokd dashboard` serves it, in a real browser."""

from __future__ import annotations

import json
import re
import socket
import subprocess
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from urllib.request import urlopen

import pytest

from autokd.report.facts.dimensions import importance_of
from autokd.store import Store, sqlite_url
from tests.browser import chromium
from tests.cli.conftest import PROGRAM, Command, Tuned
from tests.cli.terminal import Terminal

pytestmark = [pytest.mark.slow, pytest.mark.ray]


@pytest.fixture
def browser() -> str:
    return chromium()


def page(browser: str, address: str, profile: Path) -> str:
    """What the browser makes of a page, once its scripts have run."""
    options = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking")
    done = subprocess.run(
        [
            browser,
            *options,
            f"--user-data-dir={profile}",
            "--virtual-time-budget=20000",
            "--dump-dom",
            address,
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout


@pytest.fixture
def address(tuned: Tuned, tmp_path: Path) -> Iterator[str]:
    """Where `autokd dashboard` listens; at the end, Ctrl-C ends it without a complaint."""
    command = (PROGRAM, "dashboard", "--port", "0", "--home", tuned.home)
    with Terminal(command, cwd=tmp_path, environment={"COLUMNS": "300"}) as terminal:
        terminal.wait_for("Ctrl-C ends it")
        match = re.search(r"http://127\.0\.0\.1:\d+", terminal.shown)
        assert match
        yield match[0]
        terminal.interrupt()
        code = terminal.end(seconds=90)
    assert code == 0
    assert "Traceback" not in terminal.shown


def number_of(address: str, pair: str) -> int:
    """Optuna's number of a pair's study."""
    with urlopen(f"{address}/api/studies", timeout=30) as answer:
        summaries = json.load(answer)["study_summaries"]
    (number,) = (summary["study_id"] for summary in summaries if summary["study_name"].endswith(f"/{pair}"))
    return int(number)


def test_importances_are_those_of_the_report(address: str, tuned: Tuned) -> None:
    number = number_of(address, "4->9")
    with urlopen(f"{address}/api/studies/{number}/param_importances", timeout=30) as answer:
        (shown,) = json.load(answer)["param_importances"]
    with Store.open(sqlite_url(Path(tuned.home) / "autokd.db"), create=False) as store:
        (name,) = (study for study in store.studies() if study.endswith("/4->9"))
        expected = {
            dimension.dimension: dimension.share for dimension in importance_of(store.trials(name)).dimensions
        }
    assert {dimension["name"]: dimension["importance"] for dimension in shown if dimension["importance"]} == {
        dimension: pytest.approx(share) for dimension, share in expected.items() if share
    }


def text_of(document: str) -> str:
    return unescape(re.sub(r"<[^>]*>", " ", document))


def figure_of(document: str, name: str) -> str:
    """A figure of ours, as far as the browser has drawn it."""
    frame = f'id="user-defined-plot:{name}"'
    assert frame in document
    # Up to the next figure, whosever it is: in which order they stand is the dashboard's affair.
    drawn = document.partition(frame)[2].split('class="plot-container plotly"', 2)
    return "".join(drawn[:2])


def test_a_browser_shows_a_pair_with_its_note_trials_and_figures(
    here: Command, tuned: Tuned, address: str, browser: str, tmp_path: Path
) -> None:
    recommendation = here("recommend", "--pair", "4,9", "--home", tuned.home, "--json").json()
    profile, study = tmp_path / "profile", f"{address}/dashboard/studies/{number_of(address, '4->9')}"

    studies = text_of(page(browser, f"{address}/dashboard", profile))
    decided = recommendation["decision"]["action"].replace("_", " ")
    assert f"4->9: {decided}" in studies
    assert "9->4: " in studies

    note = text_of(page(browser, f"{study}/note", profile))
    assert f"4->9: {decided}" in note
    for interval in (
        recommendation["gain"],
        recommendation["default_gain"],
        recommendation["position"]["intervals"]["gain_by_adoption"],
    ):
        assert "{mean:+.1f} pp [{low:+.1f}, {high:+.1f}]".format(**interval) in note
    assert f"Position: {recommendation['position']['advice']}" in note
    assert "--pair 4,9" in note

    trials = text_of(page(browser, f"{study}/trials", profile))
    states = {state.capitalize() for state, count in recommendation["trials"].items() if count}
    assert "Complete" in states
    assert states <= set(trials.split())
    for shown in ("temperature 1.0", "alpha 0.5", "transfer_set student", "role baseline", "epochs 10"):
        assert shown in re.sub(r"\s+", " ", trials)

    graphs = page(browser, study, profile)
    assert "Intermediate values" in graphs  # Optuna Dashboard's own curves.
    assert re.search(rf"\b{round(recommendation['gain']['mean'], 2)}\b", text_of(graphs))
    for name, label in (("curves", "epochs trained"), ("landscape", "temperature T")):
        assert 'class="main-svg"' in figure_of(graphs, name)
        assert label in figure_of(graphs, name)
    reported = sum(recommendation["trials"][state] for state in ("COMPLETE", "PRUNED"))
    assert figure_of(graphs, "curves").count('class="point"') == reported


def test_a_port_in_use_is_one_line(here: Command, tuned: Tuned) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        refused = here("dashboard", "--port", port, "--home", tuned.home)
    assert refused.code == 2
    (line,) = refused.err.splitlines()
    assert line.startswith(f"error: --host 127.0.0.1 --port {port}: cannot listen there")
    assert "--port 0 takes a free one" in line
