"""The queue of jobs: servers claim jobs for the drivers that they start, and drivers tell how it goes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, final

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from autokd.core.job import Job, JobState
from autokd.errors import LeaseLost
from autokd.store.db_errors import translated_session, validated
from autokd.store.job_tables import JobEventRow, JobRow
from autokd.store.jobs import add_event, at_work, end_job, job_of, query_of_jobs
from autokd.store.leases import Now, new_token
from autokd.store.process import Process
from autokd.store.store import Store

ATTEMPTS: Final = 25
"""Drivers that may die one after the other without one run that ended; then the job has failed."""


@final
class JobQueue:
    """What a server sees of the queue, and claims of it."""

    def __init__(self, store: Store) -> None:
        self._engine = store.optuna_storage.engine

    def unfinished(self) -> tuple[Job, ...]:
        """Return the jobs that are not over, the oldest first; those that are not `alive` can be claimed."""
        query = query_of_jobs().where(JobRow.state.in_(at_work())).order_by(JobRow.id)
        with translated_session(self._engine) as session:
            return tuple(job_of(row) for row in session.execute(query))

    def free(self, id: int, claim: str) -> None:
        """Give back the claim of a driver that has died."""
        row = update(JobRow).where(JobRow.id == id, JobRow.claim == claim)
        with translated_session(self._engine) as session, session.begin():
            session.execute(row.values(claim=None, owner=None, expires=None))

    def claim(self, job: Job, *, seconds: float) -> str | None:
        """Claim a waiting job for a driver that is started now; return the claim, or None if it is gone.

        A job whose driver has died although its end was asked for is cancelled; one whose drivers die again
        and again has failed.

        Args:
            seconds: How long the driver may take to answer.
        """
        claim = new_token()
        with translated_session(self._engine) as session, session.begin():
            mine = update(JobRow).where(
                JobRow.id == job.id,
                JobRow.state == job.state.value,
                JobRow.claim.is_(None) if job.claim is None else JobRow.claim == job.claim,
            )
            owner = Process.current().model_dump_json()
            values = {"claim": claim, "owner": owner, "expires": Now() + seconds}
            taken: Any = session.execute(mine.values(attempts=JobRow.attempts + 1, **values))
            if taken.rowcount != 1:
                return None
            if job.asked_to_cancel:
                end_job(session, job.id, JobState.CANCELLED, f"cancelled by {job.asked_to_cancel}")
                return None
            if job.attempts >= ATTEMPTS:
                end_job(session, job.id, JobState.FAILED, f"its driver has died {job.attempts} times")
                return None
        return claim

    def explain(self, job: Job, reason: str) -> None:
        """Store why a waiting job is not claimed."""
        if job.reason == reason:
            return
        row = update(JobRow).where(JobRow.id == job.id, JobRow.claim.is_(None))
        with translated_session(self._engine) as session, session.begin():
            session.execute(row.where(JobRow.state == JobState.QUEUED.value).values(reason=reason))

    def counts(self) -> Mapping[JobState, int]:
        """Return the number of jobs in each state that has one."""
        query = select(JobRow.state, func.count()).group_by(JobRow.state)
        with translated_session(self._engine) as session, validated("its jobs"):
            return {JobState(state): count for state, count in session.execute(query)}


@final
class ClaimedJob:
    """A job of this process, its driver; all methods raise `LeaseLost` once another driver has taken over.

    Args:
        claim: The claim that the server has made for this process.
        seconds: How long this process may be silent before others take over.
    """

    def __init__(self, store: Store, id: int, claim: str, *, seconds: float) -> None:
        self._engine = store.optuna_storage.engine
        self.id, self._claim, self._seconds = id, claim, seconds

    def take(self) -> Job:
        """Become the owner of the job, which is `preparing` from now on."""
        with self._changing() as session:
            self._set(session, owner=Process.current().model_dump_json(), expires=Now() + self._seconds)
            row = session.execute(query_of_jobs().where(JobRow.id == self.id)).one()
            first = job_of(row).started is None
            started = Now() if first else JobRow.started
            self._set(session, state=JobState.PREPARING.value, started=started, reason="")
            add_event(session, self.id, "state", {"state": JobState.PREPARING.value})
            return job_of(row)

    def told(self, what: str) -> tuple[Mapping[str, Any], ...]:
        """Return what events of a kind say so far, also those of drivers before this one, in order."""
        rows = select(JobEventRow.data).where(JobEventRow.job_id == self.id, JobEventRow.what == what)
        with translated_session(self._engine) as session, validated(f"the events of job {self.id}"):
            return tuple(map(json.loads, session.scalars(rows.order_by(JobEventRow.number))))

    def renew(self) -> str:
        """Extend the claim, and return who has asked for the end of the job; empty if nobody has."""
        with self._changing() as session:
            self._set(session, expires=Now() + self._seconds)
            asked = session.scalar(select(JobRow.asked_to_cancel).where(JobRow.id == self.id))
        return asked or ""

    def wait(self, reason: str) -> None:
        """Store why the driver waits; empty if it does not."""
        with self._changing() as session:
            self._set(session, reason=reason)

    def run(self) -> None:
        """Say that runs are being done."""
        with self._changing() as session:
            self._set(session, state=JobState.RUNNING.value, reason="")
            add_event(session, self.id, "state", {"state": JobState.RUNNING.value})

    def progress(self, figures: Mapping[str, Any], *, fruitful: bool) -> None:
        """Store the progress, in place of what was told before.

        Args:
            fruitful: Whether a run has ended, so that the driver has not begun in vain.
        """
        more = {"attempts": 0} if fruitful else {}
        with self._changing() as session:
            self._set(session, progress=json.dumps(figures), told=Now(), **more)
            former = delete(JobEventRow).where(JobEventRow.job_id == self.id, JobEventRow.what == "progress")
            session.execute(former)
            add_event(session, self.id, "progress", figures)

    def tell(self, what: str, events: Sequence[Mapping[str, Any]]) -> None:
        """Add events of a kind."""
        with self._changing() as session:
            self._set(session, expires=Now() + self._seconds)
            for event in events:
                add_event(session, self.id, what, event)

    def end(self, state: JobState, *, reason: str = "", result: Any = None) -> None:
        """End the job."""
        with self._changing() as session:
            self._set(session, expires=Now() + self._seconds)
            end_job(session, self.id, state, reason, result)

    def give_back(self, reason: str) -> None:
        """Let another driver go on with the job."""
        with self._changing() as session:
            queued = JobState.QUEUED.value
            self._set(session, state=queued, reason=reason, attempts=0)
            add_event(session, self.id, "state", {"state": queued, "reason": reason})
            self._set(session, claim=None, owner=None, expires=None)

    @contextmanager
    def _changing(self) -> Iterator[Session]:
        with translated_session(self._engine) as session, session.begin():
            yield session

    def _set(self, session: Session, **values: Any) -> None:
        row = update(JobRow).where(JobRow.id == self.id, JobRow.claim == self._claim)
        changed: Any = session.execute(row.values(**values))
        if changed.rowcount != 1:
            raise LeaseLost(f"another driver has taken over job {self.id}; this one does nothing more")
