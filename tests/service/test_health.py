"""What tells those who keep the service running how it is."""

from __future__ import annotations

import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from autokd.core.access_token import Scope
from autokd.core.job import JobState
from autokd.service.app import Service
from autokd.service.opened_store import OpenedStore
from autokd.service.readiness import Readiness
from autokd.store import sqlite_url
from autokd.store.jobs import Jobs
from autokd.workflows.tokens import create
from tests.service.conftest import Api, settings, unpacked


@pytest.fixture
def tuned(tmp_path: Path) -> Iterator[Service]:
    opened = Service(settings(unpacked(tmp_path)))
    yield opened
    opened.close()


def test_figures_for_prometheus(tuned: Service) -> None:
    store = tuned.context.opened.store
    jobs = Jobs(store)
    for _ in range(3):
        job, _ = jobs.add(what="tune", study="small", recipe="r", request={}, who="a")
    jobs.cancel(job.id, "a")
    api = Api(tuned, create(tuned.context.settings.address, name="a", scope=Scope.READ).text)
    api.get("/v1/studies/none")
    lines = api.get("/metrics").text.splitlines()
    assert all(len(line.split(" ")) == 2 or line.startswith("#") for line in lines)
    counted = [line for line in lines if line.startswith("autokd_http_requests_total{")]
    assert any('status="404"' in line and "none" not in line for line in counted)
    figures = dict(line.split(" ") for line in lines if not line.startswith("#"))
    states = {state: figures[f'autokd_jobs{{state="{state}"}}'] for state in JobState}
    assert states == dict.fromkeys(JobState, "0") | {JobState.QUEUED: "2", JobState.CANCELLED: "1"}
    names = sorted(store.names())
    stored = [answer for name in names if (answer := store.recommendation(name)) is not None]
    verdicts = Counter(str(answer["verdict"]) for answer in stored)
    assert {name: count for name, count in figures.items() if name.startswith("autokd_verdicts")} == {
        f'autokd_verdicts{{verdict="{verdict}"}}': str(count) for verdict, count in verdicts.items()
    }
    epochs = sum(trial.epochs for name in names for trial in store.trials(name))
    epochs += sum(run.epochs for name in names for run in store.runs(name))
    assert int(figures["autokd_epochs"]) == epochs > 100
    assert int(figures["autokd_studies"]) == len(names)
    assert int(figures["autokd_database_statements_total"]) > 20
    assert 0 < float(figures["autokd_database_seconds_total"]) < 60
    assert figures["autokd_database_failures_total"] == "0"
    with store.leases.acquire(names[:2]):
        later = api.get("/metrics").text
    assert {"autokd_drivers 1", "autokd_leases 2"} <= set(later.splitlines())


def test_a_database_that_does_not_answer_is_counted(home: Path) -> None:
    opened = OpenedStore(sqlite_url(home / "autokd.db"))
    engine = opened.store.optuna_storage.engine
    engine.dispose()
    (home / "autokd.db").unlink()
    (home / "autokd.db").mkdir()
    with pytest.raises(Exception, match="unable to open"):
        engine.connect()
    assert opened.waits.failures == 1
    opened.close()


def test_ray_is_ready_if_it_answers_and_nobody_waits_for_long(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        cluster = settings(home, studies=(), ray_address=address)
        opened = OpenedStore(cluster.address)
        opened.store.federations()
        checks = Readiness(cluster, opened, fresh_seconds=3600, patience=1.0)
        assert checks.answers() == {"store": True, "disk": True, "ray": False}
        # That answer is still waited for, and no other thread begins to.
        assert not checks.answers()["ray"]
        assert sum(thread.name == "autokd-ready" for thread in threading.enumerate()) == 1
        connection, _ = silent.accept()
        with connection:
            # The SETTINGS with which a server of HTTP/2 begins, as Ray does.
            connection.sendall(bytes((0, 0, 0, 4, 0, 0, 0, 0, 0)))
            end = time.monotonic() + 30
            while not checks.answers()["ray"] and time.monotonic() < end:
                time.sleep(0.05)
        opened.close()


def test_a_server_that_does_no_job_needs_no_ray(home: Path) -> None:
    opened = Service(settings(home, studies=(), ray_address="127.0.0.1:1", jobs=0))
    opened.context.opened.store.federations()
    assert Api(opened).get("/readyz").json() == {"status": "ready", "checks": {"store": True, "disk": True}}
    opened.close()
    working = Service(settings(home, studies=(), ray_address="127.0.0.1:1"))
    answer = Api(working).get("/readyz")
    assert (answer.status_code, answer.json()["checks"]["ray"]) == (503, False)
    working.close()
