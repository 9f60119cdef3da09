"""A server that answers what MLflow's client asks of it, as long as it is meant to."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit


class FakeMlflow(ThreadingHTTPServer):
    """Keeps runs in memory.

    Attributes:
        answers: How many requests are answered; the others wait until the end, or get `status`.
        status: What requests beyond `answers` get; 0 if they get nothing.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, answers: int, status: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers, self.status = answers, status
        self.runs: list[dict[str, Any]] = []
        self.asked: list[str] = []
        self.over = threading.Event()

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def answer(self, path: str, asked: dict[str, Any]) -> dict[str, Any]:
        """Answer one request."""
        match path.rpartition("mlflow/")[2]:
            case "experiments/get-by-name" | "experiments/get":
                return {"experiment": {"experiment_id": "1", "name": "autokd", "lifecycle_stage": "active"}}
            case "runs/search":
                return {"runs": [run for run in self.runs if f"'{_tag(run, 'study')}'" in asked["filter"]]}
            case "runs/create":
                info = {"run_id": f"{len(self.runs)}", "run_name": asked["run_name"], "status": "RUNNING"}
                info |= {
                    "experiment_id": "1",
                    "lifecycle_stage": "active",
                    "artifact_uri": "mlflow-artifacts:/",
                }
                self.runs.append({"info": info, "data": {"tags": asked["tags"]}})
                return {"run": self.runs[-1]}
            case "runs/log-batch":
                self._run(asked)["data"] |= {"params": asked["params"], "metrics": asked["metrics"]}
            case "runs/update":
                self._run(asked)["info"]["status"] = asked["status"]
                return {"run_info": self._run(asked)["info"]}
            case "runs/get":
                return {"run": self._run(asked)}
            case "runs/delete":
                self.runs.remove(self._run(asked))
        return {}

    def _run(self, asked: dict[str, Any]) -> dict[str, Any]:
        return next(run for run in self.runs if run["info"]["run_id"] == asked["run_id"])


def _tag(run: dict[str, Any], name: str) -> str:
    return next(str(tag["value"]) for tag in run["data"]["tags"] if tag["key"] == name)


class _Handler(BaseHTTPRequestHandler):
    server: FakeMlflow

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        content = self.rfile.read(length)
        address = urlsplit(self.path)
        asked = (
            json.loads(content)
            if content
            else dict(part.split("=") for part in address.query.split("&") if part)
        )
        self.server.asked.append(address.path)
        if len(self.server.asked) > self.server.answers:
            if not self.server.status:
                self.server.over.wait()
                return
            self.send_error(self.server.status)
            return
        answer = json.dumps(self.server.answer(address.path, asked)).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_POST = do_PATCH = _answer  # noqa: N815 - http.server's names

    def log_message(self, format: str, *args: object) -> None:
        """Write nothing to the terminal."""


@contextmanager
def fake_mlflow(*, answers: int = 1_000_000, status: int = 0) -> Iterator[FakeMlflow]:
    """Serve in a thread until the end."""
    server = FakeMlflow(answers, status)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.over.set()
        server.shutdown()
        server.server_close()
