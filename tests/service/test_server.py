"""The program as it is started, once; and what importing autokd does not bring along."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx2 as httpx
import pytest

from autokd.core.access_token import Scope
from autokd.errors import InputError
from autokd.service.server import serve
from autokd.store import sqlite_url
from autokd.workflows.tokens import create
from tests.service.conftest import settings

SCRIPT = """
import sys
import autokd
import autokd.cli.app
found = [name for name in ("fastapi", "starlette", "uvicorn", "autokd.service") if name in sys.modules]
if found:
    raise SystemExit(f"imported {found}")
sys.argv = ["autokd", "serve", "--port", "0", "--home", sys.argv[1]]
autokd.cli.app.main()
"""


def test_a_port_that_is_taken_is_said_so(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"--port {port}: cannot listen there"):
            serve(settings(home, studies=(), port=port))


def test_the_service_starts_answers_logs_and_ends(home: Path) -> None:
    token = create(sqlite_url(home / "autokd.db"), name="ci", scope=Scope.READ).text
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(home)],
        stderr=subprocess.PIPE,
        text=True,
        cwd=home,
        env={**os.environ, "AUTOKD_SERVE_RATE": "100"},
    )
    try:
        assert process.stderr is not None
        lines = []
        for line in process.stderr:
            lines.append(line)
            if match := re.search(r"serving on (http://127\.0\.0\.1:\d+)", line):
                break
        else:
            raise AssertionError("".join(lines))
        with httpx.Client(base_url=match[1], trust_env=False) as client:
            assert client.get("/healthz").json() == {"status": "ok"}
            assert client.get("/v1/studies").status_code == 401
            answer = client.get("/v1/studies", headers={"Authorization": f"Bearer {token}"})
            assert {"digits", "digits_iid"} <= {entry["name"] for entry in answer.json()}
            assert "server" not in answer.headers
    finally:
        process.send_signal(signal.SIGINT)
        _, rest = process.communicate(timeout=30)
    logged = [json.loads(line) for line in (*lines, *rest.splitlines()) if line.startswith("{")]
    asked = [(line["path"], line["status"], line["token"]) for line in logged if "path" in line]
    assert asked == [("/healthz", 200, None), ("/v1/studies", 401, None), ("/v1/studies", 200, "ci")]
    assert token not in rest
    assert process.returncode == 0, rest
