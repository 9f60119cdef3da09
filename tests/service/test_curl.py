"""The lines of docs/service.md as they stand there, typed into a shell, with a real service and real drivers.

Only the study is another one, whose four participants are prepared and whose pairs are tuned, so that the one
run is the distillation; and the service is killed on the way. No line of the page is left out.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2 as httpx
import pytest
from safetensors.numpy import load_file

from tests.paths import ROOT
from tests.service.conftest import STUDY, unpacked
from tests.service.processes import ServerProcess

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
        self.folder, home = folder, unpacked(folder)
        one_run_at_once = {"AUTOKD_SERVE_CONCURRENCY": "1"}
        log = folder / "log"
        self.server = ServerProcess(home, log, "--study", str(STUDY), environment=one_run_at_once)
        self.server.start()
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self._environment = {**os.environ, "PATH": path, "AUTOKD_HOME": str(home), "no_proxy": "*"}

    def sign_in(self, line: str) -> str:
        """The token that a line puts into the environment."""
        token = self.type(f'{line} && printf %s "$TOKEN"')
        self._environment["TOKEN"] = token
        return token

    def type(self, line: str) -> str:
        """What a line prints."""
        done = subprocess.run(
            ["sh", "-c", line.replace("curl ", "curl -sS --fail-with-body --max-time 240 ")],
            env=self._environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, (line, done.stdout, done.stderr, self.server.log.read_text())
        return done.stdout


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    opened = Shell(tmp_path)
    try:
        yield opened
    finally:
        opened.server.kill(signal.SIGINT)


def lines(address: str) -> list[str]:
    """All commands of the page that use the service, in order; those that go on in the next line as one."""
    page = (ROOT / "docs" / "service.md").read_text()
    typed = re.findall(r"^    ((?:curl|export TOKEN=\$) ?(?:.*\\\n)*.*)$", page, flags=re.M)
    assert sum("curl" in line and DOCUMENTED in line for line in typed) == page.count("curl "), (
        "in another form"
    )
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
    studies, read, table, sign_in, *way, upload, put = lines(shell.server.address)
    post, follow, pair, distill, follow_it, download, card = way
    token = shell.sign_in(sign_in)
    assert "small" in [entry["name"] for entry in json.loads(shell.type(studies))]
    posted = json.loads(shell.type(post))
    assert (posted["id"], posted["what"]) == (1, "tune")
    assert json.loads(shell.type(post))["id"] == 1

    # Killed while its driver starts, which goes on.
    shell.server.kill()
    shell.server.start()

    followed = events(shell.type(follow))
    assert [number for number, _, _ in followed] == sorted({number for number, _, _ in followed})
    states = [data["state"] for _, what, data in followed if what == "state"]
    assert (states[0], states[-1]) == ("queued", "succeeded")
    assert any(what == "verdict" and data["words"] == "3->0" for _, what, data in followed)
    answer = json.loads(shell.type(pair))
    assert answer["recommendation"]["pair"] == {"teacher": 3, "student": 0}
    assert answer["recommendation"]["verdict"] in ("tuned", "default", "skip", "undecided")
    assert json.loads(shell.type(read)) == answer
    assert len(shell.type(table).splitlines()) == 1 + 12
    result = json.loads(
        shell.type(f'curl {shell.server.address}/v1/jobs/1 -H "Authorization: Bearer $TOKEN"')
    )
    assert result["result"]["pair"] == answer["recommendation"]["pair"]

    assert json.loads(shell.type(distill))["id"] == 2
    assert events(shell.type(follow_it))[-1][2] == {"state": "succeeded"}
    shell.type(download)
    assert load_file(shell.folder / "student.safetensors")
    text = shell.type(card)
    assert "taught by participant 3" in text
    assert str(shell.folder) not in text
    assert "autokd distill --pair 3,0 --study small " in text

    (shell.folder / "a.npz").write_bytes(b"numbers")
    assert json.loads(shell.type(upload))["bytes"] == 7
    (shell.folder / "mine.yaml").write_text(STUDY.read_text().replace("name: small", "name: mine"))
    assert json.loads(shell.type(put))["problems"] == []

    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=shell.server.address, headers=headers, trust_env=False) as client:
        result = client.get("/v1/jobs/1").json()["result"]
        assert {warning["file"] for warning in result.pop("warnings")} == {"small"}
        assert {**result, "stale": False} == answer["recommendation"]
        whole = client.get("/v1/jobs/2/model")
        assert whole.content == (shell.folder / "student.safetensors").read_bytes()
        tag = whole.headers["etag"]
        head = client.head("/v1/jobs/2/model")
        assert (head.status_code, head.content, head.headers["etag"]) == (200, b"", tag)
        assert int(head.headers["content-length"]) == len(whole.content)
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
