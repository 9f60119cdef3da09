"""Starts a driver for each job whose turn it is; the queue is in the store, which other servers share."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, Final, final

from autokd.core.atomic_write import OWNER_ONLY, make_folder
from autokd.core.job import Job
from autokd.core.safe_path import child_environment
from autokd.errors import AutokdError, InputError
from autokd.service.catalogue import Catalogue
from autokd.service.job_folders import LOG, folder_of
from autokd.service.job_order import DriverOrder
from autokd.service.job_requests import recipe_hash
from autokd.service.opened_store import OpenedStore
from autokd.service.settings import ServiceSettings
from autokd.store.job_queue import JobQueue

_LOOK_SECONDS: Final = 1.0
"""Time between two looks at the queue; a job that is posted here is looked at once."""
_START_SECONDS: Final = 60.0
"""So long may a driver take to answer; importing PyTorch takes seconds, and more on a busy machine."""
_END_SECONDS: Final = 30.0
_log = logging.getLogger(__name__)


@final
class Dispatcher:
    """Starts drivers, at most `settings.jobs` at once, from a thread of its own.

    A driver goes on when its server dies. The next server on this machine counts it until it ends.
    """

    def __init__(self, settings: ServiceSettings, opened: OpenedStore, catalogue: Catalogue) -> None:
        self._settings, self._opened, self._catalogue = settings, opened, catalogue
        self._drivers: dict[tuple[int, str], subprocess.Popen[bytes]] = {}
        self._former: set[str] | None = None
        self._wake, self._over = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="autokd-dispatcher", daemon=True)

    def start(self) -> None:
        """Begin to start drivers, unless the settings leave jobs to others."""
        if self._settings.jobs:
            self._thread.start()

    def wake(self) -> None:
        """Look at the queue now."""
        self._wake.set()

    def close(self) -> None:
        """Let all drivers give their jobs back, which takes until the next report of each run."""
        self._over.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()
        if self._drivers:
            numbers = ", ".join(str(id) for id, _ in self._drivers)
            _log.info("waits at most %.0f s for the drivers of jobs: %s", _END_SECONDS, numbers)
        for driver in self._drivers.values():
            driver.terminate()
        until = time.monotonic() + _END_SECONDS
        for driver in self._drivers.values():
            with suppress(subprocess.TimeoutExpired):
                driver.wait(max(0.0, until - time.monotonic()))

    def look(self) -> None:
        """Look at the queue once, and start drivers for the oldest jobs as far as there is room.

        Raises:
            AutokdError: If the database does not answer.
        """
        queue = JobQueue(self._opened.store)
        self._bury(queue)
        jobs = queue.unfinished()
        alive = {job.claim for job in jobs if job.alive and job.here and job.claim is not None}
        if self._former is None:
            self._former = alive
        own = {claim for _, claim in self._drivers}
        room = self._settings.jobs - len(own) - len(self._former & alive - own)
        for job in jobs:
            if room <= 0:
                return
            if not job.alive and self._begin(queue, job):
                room -= 1

    def _run(self) -> None:
        while not self._over.is_set():
            try:
                self.look()
            except AutokdError as error:
                _log.warning("the queue of jobs: %s", error)
            except Exception:
                _log.exception("the queue of jobs")
            self._wake.wait(_LOOK_SECONDS)
            self._wake.clear()

    def _bury(self, queue: JobQueue) -> None:
        """Give back the claims of drivers that have died; those that ended in good order have none."""
        for (id, claim), driver in list(self._drivers.items()):
            code = driver.poll()
            if code is not None:
                if code:
                    _log.warning("the driver of job %d has ended with %d; see its %s", id, code, LOG)
                    queue.free(id, claim)
                del self._drivers[id, claim]

    def _begin(self, queue: JobQueue, job: Job) -> bool:
        """Start a driver for a job; return False if it is not for this server now."""
        try:
            study = self._catalogue.study(job.study)
            same = recipe_hash(self._catalogue.config(study)) == job.recipe
        except InputError:
            same = False
        if not same:
            # The same words from all servers, of which each would else write its own again and again.
            problem = f"a server has not the study recipe {job.study} as it was when the job was posted"
            queue.explain(job, f"{problem}; unless another server has, cancel it, or post it again")
            return False
        claim = queue.claim(job, seconds=_START_SECONDS)
        if claim is None:
            return False
        try:
            self._drivers[job.id, claim] = self._started(job.id, claim, study.source)
        except OSError as error:
            _log.warning("job %d: its driver cannot be started: %s", job.id, error)
            queue.free(job.id, claim)
            return False
        _log.info("job %d has a driver", job.id)
        return True

    def _started(self, id: int, claim: str, study: str) -> subprocess.Popen[bytes]:
        settings = self._settings
        order = DriverOrder(
            id=id,
            claim=claim,
            home=str(settings.home),
            data_root=str(settings.root),
            study=study,
            compute={"device": settings.device, "threads": settings.threads},
            workers={
                "concurrency": settings.concurrency,
                "cpus_per_run": settings.cpus_per_trial,
                "gpus_per_run": settings.gpus_per_trial,
                "address": settings.ray_address,
            },
        )
        environment: dict[str, str | None] = {
            **os.environ,
            **child_environment(),
            **order.to_environment(settings.address),
        }
        folder = folder_of(settings.home, id)
        make_folder(folder)
        with _appended(folder / LOG) as log:
            return subprocess.Popen(
                [sys.executable, "-m", "autokd.service.job_driver"],
                env={name: value for name, value in environment.items() if value is not None},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C in the server's terminal is for the server, which tells its drivers.
                start_new_session=True,
            )


def _appended(file: Path) -> IO[bytes]:
    return os.fdopen(os.open(file, os.O_CREAT | os.O_APPEND | os.O_WRONLY, OWNER_ONLY), "ab")
