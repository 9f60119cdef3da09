"""The driver of a job, a process of its own: `python -m autokd.service.job_driver`, which a server starts.

It holds the job's claim until the job is over, and tells its progress. The server may end meanwhile. A signal
to end makes it give the job back, so that another driver goes on; if somebody cancels the job, it stops as
at Ctrl-C, and the job is cancelled.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from pathlib import Path
from types import FrameType
from typing import Any, Final, final

from pydantic import TypeAdapter

from autokd.compute.device import Compute
from autokd.compute.resources import Resources
from autokd.config.defaults import STORAGE_VARIABLE
from autokd.config.yaml_files import read_study_config
from autokd.core.job import Job, JobState
from autokd.errors import AutokdError, InputError, LeaseLost, PairBusy, StoreError
from autokd.service.job_folders import folder_of
from autokd.service.job_order import DriverOrder
from autokd.service.job_progress import JobCallbacks, Told
from autokd.service.job_requests import AnyRequest, JobRequest, opened, recipe_hash
from autokd.service.job_work import Done, work
from autokd.service.places import plain_without_place, without_place
from autokd.store import Store
from autokd.store.job_queue import ClaimedJob
from autokd.store.leases import lease_seconds

_BUSY_SECONDS: Final = 2.0
"""Time between two tries to get pairs that another driver has."""
_AGAIN_SECONDS: Final = 30.0
"""After so long the driver of a cancelled job is interrupted again: libraries may lose an interrupt."""
_log = logging.getLogger(__name__)


@final
class JobDriver:
    """Does a job, in the main thread; another thread keeps the claim and tells the progress."""

    def __init__(self, order: DriverOrder, storage: str, *, pause: float = 1.0) -> None:
        self._order, self._storage, self._pause = order, storage, pause
        self._told, self._over = Told(), threading.Event()
        self._cancelled_by, self._lost = "", False
        self._working, self._signalled, self._stopped = False, False, False

    def run(self) -> None:
        """Do the job to its end, and store how it has ended."""
        signal.signal(signal.SIGTERM, self._end)
        signal.signal(signal.SIGINT, self._end)
        with Store.open(self._storage) as store:
            claimed = ClaimedJob(store, self._order.id, self._order.claim, seconds=lease_seconds())
            job = claimed.take()
            self._told = Told(claimed.told("verdict"))
            heart = threading.Thread(target=self._beat, args=(claimed,), name="autokd-job", daemon=True)
            heart.start()
            try:
                state, reason, result = self._outcome(job, JobCallbacks(self._told, store))
            finally:
                self._over.set()
                heart.join()
            if self._lost:
                return
            self._store(claimed, state, reason, result)

    def _outcome(self, job: Job, callbacks: JobCallbacks) -> tuple[JobState, str, Any]:
        """Return how the job has ended; `queued` if another driver is to go on with it."""
        try:
            self._working = True
            if self._signalled:
                # It came just before, when there was nothing to end.
                raise KeyboardInterrupt
            done = self._work(job, callbacks)
            stopped = callbacks.stopped
        except KeyboardInterrupt:
            # Without a signal it is `autokd stop` that has ended the preparation of the federation.
            done, stopped = Done(interrupted=True), not self._signalled
        except LeaseLost as error:
            return JobState.QUEUED, str(error), None
        except AutokdError as error:
            return JobState.FAILED, str(error), None
        except Exception as error:
            _log.exception("job %d failed", job.id)
            return JobState.FAILED, f"a defect: {type(error).__name__}; the job's log says more", None
        finally:
            self._working = False
        if not done.interrupted:
            return JobState.SUCCEEDED, "", done.result
        if self._cancelled_by:
            return JobState.CANCELLED, f"cancelled by {self._cancelled_by}", None
        if stopped:
            return JobState.CANCELLED, "stopped by autokd stop", None
        return JobState.QUEUED, "its driver was ended; another one goes on", None

    def _work(self, job: Job, callbacks: JobCallbacks) -> Done:
        request: AnyRequest = TypeAdapter(JobRequest).validate_python(dict(job.request))
        home = Path(self._order.home)
        if recipe_hash(read_study_config(self._order.study)) != job.recipe:
            problem = "the study recipe has changed since the job was posted; post it again"
            raise InputError(f"study {job.study}: {problem}")
        workspace = opened(request, self._order.study, home=home, storage=self._storage)
        folder = folder_of(home, job.id)
        while True:
            try:
                return work(
                    request,
                    workspace,
                    folder=folder,
                    compute=Compute(**self._order.compute),
                    workers=Resources(**self._order.workers),
                    callbacks=callbacks,
                )
            except PairBusy as error:
                # Another job has it, or a command; when that one has ended, what it found is there.
                self._told.wait(without_place(f"waits: {error}", home, Path(self._order.data_root)))
                self._sleep()

    def _sleep(self) -> None:
        until = time.monotonic() + _BUSY_SECONDS
        while time.monotonic() < until:
            time.sleep(0.1)  # A signal ends it.

    def _store(self, claimed: ClaimedJob, state: JobState, reason: str, result: Any) -> None:
        """Store how the job has ended, as soon as the database answers."""
        while True:
            try:
                self._told.write(claimed)
                places = Path(self._order.home), Path(self._order.data_root)
                reason = without_place(reason, *places)
                if state is JobState.QUEUED:
                    claimed.give_back(reason)
                else:
                    claimed.end(state, reason=reason, result=plain_without_place(result, *places))
            except LeaseLost:
                return
            except StoreError as error:
                _log.warning("%s", error)
                time.sleep(self._pause)
            else:
                return

    def _beat(self, claimed: ClaimedJob) -> None:
        """Keep the claim, tell the progress, and look whether somebody cancels the job."""
        due = 0.0
        while not self._over.wait(self._pause):
            try:
                asked = claimed.renew()
                self._told.write(claimed)
            except LeaseLost as error:
                _log.warning("%s", error)
                self._lost = True
                _interrupt()
                return
            except StoreError as error:
                _log.warning("%s", error)  # The database is away; the next try may find it.
                continue
            # Runs that are being done have a handler of their own, and end at their next report.
            again = time.monotonic() >= due and signal.getsignal(signal.SIGINT) == self._end
            if asked and (again or not self._cancelled_by):
                self._cancelled_by, due = asked, time.monotonic() + _AGAIN_SECONDS
                _interrupt()

    def _end(self, number: int, frame: FrameType | None) -> None:
        """End what is being done, as at Ctrl-C; while runs are done, their own handler is in force."""
        self._signalled = True
        if self._working:
            raise KeyboardInterrupt


def _interrupt() -> None:
    """Do to the main thread what Ctrl-C does."""
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)


def main() -> None:
    """Do the job of the environment's order."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("autokd").setLevel(logging.INFO)
    order, storage = DriverOrder.of_environment(), os.environ.pop(STORAGE_VARIABLE)
    try:
        JobDriver(order, storage).run()
    except LeaseLost as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
