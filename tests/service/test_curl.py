"""The lines of docs/service.md as they stand there, typed into a shell, with a real service and real drivers.

Only the study is another one, whose four participants are prepared and whose pairs are tuned, so that the one
run is the distillation; and the service is killed on the way.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2 as httpx
import pytest
from safetensors.numpy import load_file

from autokd.core.access_token import Scope
from autokd.store import sqlite_url
from autokd.workflows.tokens import create
from tests.paths import ROOT
from tests.service.conftest import STUDY, unpacked

DOCUMENTED = "http://127.0.0.1:8321"
SAME = {
    "digits": "small",
    "4,9": "3,0",
    "4-9": "3-0",
    '"effort": "quick"': '"position": "student"',
}
"""What the lines say, and what is typed in its place."""


class Shell:
    """A shell beside a service, which can be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.home = folder, unpacked(folder)
        self.token = create(sqlite_url(self.home / "autokd.db"), name="me", scope=Scope.TUNE).text
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def serve(self) -> None:
        options = ["--port", str(self.port), "--home", str(self.home), "--study", str(STUDY)]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "autokd", "serve", *options],
                stderr=log,
                cwd=self.folder,
                env={**os.environ, "AUTOKD_SERVE_CONCURRENCY": "1"},
            )
        end = time.monotonic() + 60
        while time.monotonic() < end:
            try:
                httpx.get(f"{self.address}/healthz", trust_env=False)
            except httpx.TransportError:
                time.sleep(0.1)
            else:
                return
        raise AssertionError((self.folder / "log").read_text())

    def kill(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)
        self.process.wait(60)

    def type(self, line: str) -> str:
        """What a line prints."""
        done = subprocess.run(
            ["sh", "-c", line.replace("curl ", "curl -sS --fail-with-body --max-time 240 ")],
            env={**os.environ, "TOKEN": self.token, "no_proxy": "*"},
            cwd=self.folder,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, (line, done.stdout, done.stderr, (self.folder / "log").read_text())
        return done.stdout


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    opened = Shell(tmp_path)
    opened.serve()
    try:
        yield opened
    finally:
        opened.kill(signal.SIGINT)


def lines(address: str) -> list[str]:
    """The lines of the section, those that go on in the next one as one."""
    page = (ROOT / "docs" / "service.md").read_text()
    section = page[page.index("**The whole way**") : page.index("`autokd token list` shows")]
    typed = re.findall(r"^    (curl (?:.*\\\n)*.*)$", section, flags=re.M)
    assert all(DOCUMENTED in line for line in typed)
    typed = [line.replace(DOCUMENTED, address) for line in typed]
    for old, new in SAME.items():
        assert any(old in line for line in typed), old
        typed = [line.replace(old, new) for line in typed]
    return typed


def events(text: str) -> list[tuple[int, str, dict[str, object]]]:
    """The events of a stream."""
    read = [
        json.loads(line.removeprefix("data: ")) for line in text.splitlines() if line.startswith("data: ")
    ]
    return [(event["id"], event["what"], event["data"]) for event in read]


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_the_lines_of_the_page_lead_from_a_job_to_the_student_though_the_service_is_killed(
    shell: Shell,
) -> None:
    post, follow, pair, distill, follow_it, download, card = lines(shell.address)
    posted = json.loads(shell.type(post))
    assert (posted["id"], posted["what"]) == (1, "tune")
    assert json.loads(shell.type(post))["id"] == 1

    # Killed while its driver starts, which goes on.
    shell.kill(signal.SIGKILL)
    shell.serve()

    followed = events(shell.type(follow))
    assert [number for number, _, _ in followed] == sorted({number for number, _, _ in followed})
    states = [data["state"] for _, what, data in followed if what == "state"]
    assert (states[0], states[-1]) == ("queued", "succeeded")
    assert any(what == "verdict" and data["words"] == "3->0" for _, what, data in followed)
    answer = json.loads(shell.type(pair))
    assert answer["recommendation"]["pair"] == {"teacher": 3, "student": 0}
    assert answer["recommendation"]["verdict"] in ("tuned", "default", "skip", "undecided")

    assert json.loads(shell.type(distill))["id"] == 2
    assert events(shell.type(follow_it))[-1][2] == {"state": "succeeded"}
    shell.type(download)
    assert load_file(shell.folder / "student.safetensors")
    text = shell.type(card)
    assert "taught by participant 3" in text
    assert str(shell.folder) not in text

    headers = {"Authorization": f"Bearer {shell.token}"}
    with httpx.Client(base_url=shell.address, headers=headers, trust_env=False) as client:
        whole = client.get("/v1/jobs/2/model")
        assert whole.content == (shell.folder / "student.safetensors").read_bytes()
        tag = whole.headers["etag"]
        assert client.get("/v1/jobs/2/model", headers={"If-None-Match": tag}).status_code == 304
        part = client.get("/v1/jobs/2/model", headers={"Range": "bytes=8-99", "If-Range": tag})
        assert (part.status_code, part.content) == (206, whole.content[8:100])
        outside = client.get("/v1/jobs/2/model", headers={"Range": f"bytes={len(whole.content)}-"})
        assert (outside.status_code, outside.json()["field"]) == (416, "Range")
        assert outside.headers["content-range"] == f"bytes */{len(whole.content)}"
        for wrong in ("bytes=9-8", "bytes=-", "lines=1-2", "bytes=1-2,x", "bytes=" + "0-0," * 20 + "0-0"):
            assert client.get("/v1/jobs/2/model", headers={"Range": wrong}).status_code == 400, wrong
        assert client.get("/v1/jobs/1/model").json()["type"] == "urn:autokd:problem:no-model"
        assert client.get("/v1/jobs/2/card").json() == client.get("/v1/jobs/2").json()["result"]
