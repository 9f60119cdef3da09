"""Optuna Dashboard as `autokd dashboard` serves it, in a real browser."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import PROGRAM, Command, Tuned
from tests.cli.terminal import Terminal

pytestmark = [pytest.mark.slow, pytest.mark.ray]


@pytest.fixture
def browser() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        if os.environ.get("AUTOKD_REQUIRE_SERVERS") == "1":
            pytest.fail("no chromium")
        pytest.skip("no chromium")
    return found


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


def test_a_browser_shows_both_studies_and_ctrl_c_ends_it(tuned: Tuned, browser: str, tmp_path: Path) -> None:
    command = (PROGRAM, "dashboard", "--port", "0", "--home", tuned.home)
    with Terminal(command, cwd=tmp_path, environment={"COLUMNS": "300"}) as terminal:
        terminal.wait_for("Ctrl-C ends it")
        address = re.search(r"http://127\.0\.0\.1:\d+/dashboard", terminal.shown)
        assert address
        shown = page(browser, address[0], tmp_path / "profile")
        terminal.interrupt()
        code = terminal.end(seconds=30)
    assert "4-&gt;9" in shown
    assert "9-&gt;4" in shown
    assert code == 0
    assert "Traceback" not in terminal.shown


def test_a_port_in_use_is_one_line(command: Command, tuned: Tuned) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        refused = command("dashboard", "--port", port, "--home", tuned.home)
    assert refused.code == 2
    (line,) = refused.err.splitlines()
    assert line.startswith(f"error: --host 127.0.0.1 --port {port}: cannot listen there")
    assert "--port 0 takes a free one" in line
