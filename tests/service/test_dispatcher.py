"""Drivers as processes: started in turn, taken up again when they die, ended with their server."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from autokd.config.yaml_files import read_study_config
from autokd.core.job import Job, JobState
from autokd.service.app import Service
from autokd.service.job_folders import LOG, folder_of
from autokd.service.job_requests import recipe_hash
from autokd.store import Store
from autokd.store.job_queue import JobQueue
from autokd.store.jobs import Jobs
from tests.service.conftest import STUDY, settings, unpacked
from tests.service.serving import until
from tests.store.conftest import empty_database


@pytest.fixture
def service(home: Path) -> Iterator[Service]:
    opened = Service(settings(home, studies=()), fresh_seconds=0)
    yield opened
    opened.context.dispatcher.close()
    opened.close()


@pytest.fixture
def store(service: Service) -> Store:
    return service.context.opened.store


def post(store: Store, recipe: str = "", **more: Any) -> int:
    """A job that fails as soon as it is begun: nothing is tuned."""
    request = {"what": "explain", "study": "digits", "pair": "4,9", **more}
    recipe = recipe or recipe_hash(read_study_config("digits"))
    job, _ = Jobs(store).add(what=request["what"], study="digits", recipe=recipe, request=request, who="ci")
    return job.id


def number_of(job: Job) -> int:
    """The process of the driver."""
    return int(job.owner.rpartition(" ")[2])


def test_drivers_are_started_in_turn_and_a_dead_one_is_followed_by_another(
    service: Service, store: Store
) -> None:
    jobs, dispatcher = Jobs(store), service.context.dispatcher
    first, second = post(store), post(store)
    dispatcher.look()
    dispatcher.look()
    assert (jobs.job(first).claim is not None, jobs.job(second).claim) == (True, None)
    # As if the system had ended it for lack of memory.
    (driver,) = dispatcher._drivers.values()
    driver.kill()
    driver.wait()
    dispatcher.look()
    assert jobs.job(first).attempts == 2
    until(lambda: jobs.job(first).state.is_over)
    failed = jobs.job(first)
    assert failed.state is JobState.FAILED
    assert failed.reason.startswith("nothing has been tuned under the home for study digits;")
    log = folder_of(service.context.settings.home, first) / LOG
    assert log.stat().st_mode & 0o777 == 0o600


def test_two_servers_on_one_database_share_the_queue(tmp_path: Path) -> None:
    with empty_database("postgresql", tmp_path) as storage, ExitStack() as stack:
        servers = []
        for name in ("first", "second"):
            server = Service(settings(tmp_path / name, studies=(), storage=storage, jobs=4), fresh_seconds=0)
            stack.callback(server.close)
            server.context.dispatcher.look()
            servers.append(server)
        numbers = [post(servers[0].context.opened.store) for _ in range(6)]
        threads = [threading.Thread(target=server.context.dispatcher.look) for server in servers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        drivers = [server.context.dispatcher._drivers for server in servers]
        for driver in (driver for some in drivers for driver in some.values()):
            driver.kill()
            driver.wait()
        assert sorted(number for some in drivers for number, _ in some) == numbers
        assert max(map(len, drivers)) <= 4


def test_a_job_waits_for_its_recipe_and_for_drivers_of_a_server_that_has_died(
    service: Service, store: Store
) -> None:
    jobs, dispatcher = Jobs(store), service.context.dispatcher
    other, orphan = post(store, recipe="of yesterday"), post(store)
    # A driver that goes on without its server is alive, and here.
    assert JobQueue(store).claim(jobs.job(orphan), seconds=60)
    mine = post(store)
    dispatcher.look()
    assert jobs.job(other).claim is jobs.job(mine).claim is None
    jobs.cancel(orphan, "me")
    with service.context.opened.store.optuna_storage.engine.begin() as connection:
        connection.exec_driver_sql(f"UPDATE autokd_job SET expires = 0 WHERE id = {orphan}")
    dispatcher.look()
    assert jobs.job(orphan).state is JobState.CANCELLED
    assert jobs.job(other).reason.startswith("a server has not the study recipe digits as it was")
    assert jobs.job(mine).claim is not None


def test_a_driver_waits_for_pairs_and_gives_its_job_back_or_is_cancelled(tmp_path: Path) -> None:
    service = Service(settings(unpacked(tmp_path)), fresh_seconds=0)
    dispatcher, store = service.context.dispatcher, service.context.opened.store
    jobs, busy = Jobs(store), next(name for name in store.studies() if name.endswith("/0->1"))
    request = {"what": "explain", "study": "small", "pair": "0,1"}
    recipe = recipe_hash(read_study_config(str(STUDY)))
    number = jobs.add(what="explain", study="small", recipe=recipe, request=request, who="ci")[0].id
    try:
        # As a command that is at work on one of the pairs.
        with Store.open(service.context.settings.address) as command, command.leases.acquire([busy]):
            dispatcher.look()
            until(lambda: jobs.job(number).reason.startswith("waits: "))
            waiting = jobs.job(number)
            assert waiting.state is JobState.PREPARING
            assert waiting.reason.startswith("waits: pair 0->1 is being tuned by")
            os.kill(number_of(waiting), signal.SIGTERM)
            until(lambda: jobs.job(number).state is JobState.QUEUED)
            assert jobs.job(number).claim is None
            # There is room once that process has ended.
            next(iter(dispatcher._drivers.values())).wait()
            dispatcher.look()
            until(lambda: jobs.job(number).reason.startswith("waits: "))
            jobs.cancel(number, "me")
            until(lambda: jobs.job(number).state.is_over)
        assert (jobs.job(number).state, jobs.job(number).reason) == (JobState.CANCELLED, "cancelled by me")
    finally:
        dispatcher.close()
        service.close()
