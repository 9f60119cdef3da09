"""docker/nginx.conf before a real service: who asks, by TLS, and events that come when they happen."""

from __future__ import annotations

import json
import logging
import os
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

from autokd.core.access_token import Scope
from autokd.service.app import Service
from autokd.workflows.tokens import create
from tests.docker.files import FOLDER
from tests.service.conftest import settings
from tests.service.serving import served_in_a_thread, until

NAME = "tuning.example.org"
CLIENT = "127.0.0.2"
"""Not the address that nginx asks the service from."""
AROUND = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/autokd.conf;
}}
"""


@dataclass(frozen=True)
class Proxied:
    """A service behind nginx."""

    direct: str
    port: int
    folder: Path
    token: str

    def client(self) -> httpx.Client:
        transport = httpx.HTTPTransport(
            verify=ssl.create_default_context(cafile=self.folder / "certificate.pem"), local_address=CLIENT
        )
        # The name is that of the certificate, and nobody has to look it up.
        return httpx.Client(
            base_url=f"https://127.0.0.1:{self.port}",
            headers={"Host": f"{NAME}:{self.port}", "Authorization": f"Bearer {self.token}"},
            transport=transport,
            timeout=60,
        )


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxied]:
    nginx = shutil.which("nginx", path=os.pathsep.join([os.environ["PATH"], "/usr/sbin"]))
    openssl = shutil.which("openssl")
    if nginx is None or openssl is None:
        pytest.skip("no nginx or no openssl: apt-get install nginx-light openssl")
    folder = tmp_path_factory.mktemp("proxy")
    _certificate(openssl, folder)
    service = Service(settings(folder / "home", studies=(), jobs=0, proxies=("127.0.0.1",)))
    try:
        token = create(service.context.settings.address, name="me", scope=Scope.TUNE).text
        with served_in_a_thread(service) as direct, socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
            free.close()
            (folder / "autokd.conf").write_text(_here(folder, port, direct))
            (folder / "nginx.conf").write_text(AROUND.format(folder=folder))
            words: list[str | Path] = [nginx, "-p", folder, "-c", folder / "nginx.conf"]
            process = subprocess.Popen(words, stderr=subprocess.PIPE)
            try:
                _await(process, port)
                yield Proxied(direct, port, folder, token)
            finally:
                process.terminate()
                process.communicate(timeout=60)
    finally:
        service.close()


def _certificate(openssl: str, folder: Path) -> None:
    words = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={NAME}"]
    names = ["-addext", f"subjectAltName=DNS:{NAME},IP:127.0.0.1"]
    files: list[str | Path] = ["-keyout", folder / "key.pem", "-out", folder / "certificate.pem"]
    subprocess.run([openssl, *words, *names, *files], check=True, capture_output=True)


def _here(folder: Path, port: int, direct: str) -> str:
    """The file with this machine's port, certificate and service."""
    text = (FOLDER / "nginx.conf").read_text()
    for there, here in {
        "listen 443 ssl;": f"listen 127.0.0.1:{port} ssl;",
        f"/etc/ssl/certs/{NAME}.pem": str(folder / "certificate.pem"),
        f"/etc/ssl/private/{NAME}.key": str(folder / "key.pem"),
        "http://127.0.0.1:8321": direct,
    }.items():
        assert text.count(there) == 1, there
        text = text.replace(there, here)
    return text


def _await(process: subprocess.Popen[bytes], port: int) -> None:
    until = time.monotonic() + 60
    while True:
        assert process.poll() is None, process.communicate()[1]
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            assert time.monotonic() < until
            time.sleep(0.05)
        else:
            return


def asked(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [record.facts for record in caplog.records if record.getMessage() == "request"]  # type: ignore[attr-defined]


def test_who_asks_is_the_client_of_the_proxy_and_of_nobody_else(
    proxied: Proxied, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "autokd.service")
    forged = {"X-Forwarded-For": "192.0.2.1"}
    with proxied.client() as client:
        answer = client.get("/v1/studies", headers=forged)
        assert (answer.status_code, "digits" in answer.text) == (200, True)
        assert answer.headers["strict-transport-security"]
        assert answer.headers["content-security-policy"]
    # Whoever is no proxy is not believed.
    transport = httpx.HTTPTransport(local_address="127.0.0.3")
    with httpx.Client(transport=transport, base_url=proxied.direct, timeout=60) as client:
        assert client.get("/healthz", headers={**forged, "X-Forwarded-Proto": "https"}).status_code == 200
    # What was asked is logged after it is answered.
    until(lambda: len(asked(caplog)) == 2)
    assert [facts["client"] for facts in asked(caplog)] == [CLIENT, "127.0.0.3"]


def test_the_cookie_of_a_browser_is_sent_by_tls_only_and_its_pages_may_change_something(
    proxied: Proxied,
) -> None:
    page = {"Origin": f"https://{NAME}:{proxied.port}"}
    with proxied.client() as client:
        del client.headers["Authorization"]
        signed_in = client.post("/sign-in", data={"token": proxied.token}, headers=page)
        assert signed_in.status_code == 303
        cookie = signed_in.headers["set-cookie"]
        assert "; Secure" in cookie
        session = {"Cookie": cookie.partition(";")[0]}
        client.cookies.clear()
        unknown = "/v1/jobs/999/cancel"
        assert client.post(unknown, headers={**session, **page}).status_code == 404
        for origin in ("https://evil.example", f"https://{NAME}"):
            answer = client.post(unknown, headers={**session, "Origin": origin})
            assert (answer.status_code, answer.json()["field"]) == (403, "Origin")


def test_events_come_while_they_happen(proxied: Proxied) -> None:
    job = {"what": "tune", "study": "digits", "pairs": ["4,9"]}
    with proxied.client() as client:
        posted = client.post("/v1/jobs", json=job)
        assert posted.status_code == 202, posted.text
        place = posted.headers["location"]
        with client.stream("GET", f"{place}/events", headers={"Accept": "text/event-stream"}) as stream:
            lines = (line for line in stream.iter_lines() if line.startswith("data: "))
            # The first one is here although there is no end yet.
            assert json.loads(next(lines)[6:])["data"] == {"state": "queued"}
            assert client.post(f"{place}/cancel").status_code == 200
            rest = [json.loads(line[6:])["what"] for line in lines]
    assert rest == ["cancel", "state"]


def test_what_the_service_refuses_is_refused_in_its_words(proxied: Proxied) -> None:
    with proxied.client() as client:
        body = b"x" * (2**20 + 1)
        large = client.post("/v1/jobs", content=body, headers={"Content-Type": "application/json"})
        assert (large.status_code, large.json()["status"]) == (413, 413)
        assert client.get("/v1/studies", headers={"Authorization": "Bearer wrong"}).status_code == 401
