"""The jobs of the service in a store: posted, listed, cancelled and followed by anybody."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager, suppress
from typing import Any, Final, final

from sqlalchemy import Row, Select, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from autokd.core.job import Job, JobEvent, JobState
from autokd.errors import InputError
from autokd.store.db_errors import translated_session, validated
from autokd.store.job_tables import JobEventRow, JobRow
from autokd.store.leases import Now
from autokd.store.process import Process
from autokd.store.store import Store

SAME_SECONDS: Final = 24 * 3600.0
"""For so long, a job that is posted again under the same Idempotency-Key is the same job."""
_AT_WORK: Final = (JobState.QUEUED, JobState.PREPARING, JobState.RUNNING)


class NoSuchJob(InputError):
    """No job has that number."""


class OtherRequest(InputError):
    """Something else was posted before under the same Idempotency-Key."""


@final
class Jobs:
    """The jobs in a store, for those who post and follow them; `JobQueue` is for those who do them.

    Each method is one transaction, and raises `StoreError` if the database reports an error.

    Args:
        on_over: Called with the numbers of those jobs that are read and are over, before they are returned.
    """

    def __init__(
        self, store: Store, on_over: Callable[[Collection[int]], None] = lambda numbers: None
    ) -> None:
        self._engine = store.optuna_storage.engine
        self._on_over = on_over

    def add(
        self,
        *,
        what: str,
        study: str,
        recipe: str,
        request: Mapping[str, Any],
        who: str,
        same: str | None = None,
    ) -> tuple[Job, bool]:
        """Store a new job, and return it; or return the one that was posted before, and False.

        Args:
            same: Hash of who posts it and under which Idempotency-Key; None without one.

        Raises:
            OtherRequest: If another request was posted under that key within a day.
        """
        content = json.dumps(request, sort_keys=True)
        row = {"what": what, "study": study, "recipe": recipe, "request": content, "who": who, "same": same}
        # The second time it is there: somebody has posted it at the same moment.
        for _ in range(2):
            with self._session() as session, session.begin(), suppress(IntegrityError):
                if same is not None and (former := self._former(session, same)) is not None:
                    if (former.request, former.recipe) != (content, recipe):
                        raise OtherRequest(
                            f"Idempotency-Key: job {former.id} was posted under it with another content; "
                            "choose a new key for a new job"
                        )
                    return job_of(self._one(session, former.id)), False
                return self._insert(session, row), True
        raise OtherRequest("Idempotency-Key: it is used by several requests at once; try again")

    def job(self, id: int) -> Job:
        """Return a job.

        Raises:
            NoSuchJob: If there is none of that number.
        """
        with self._session() as session:
            return self._read(job_of(self._one(session, id)))

    def jobs(
        self,
        *,
        states: Collection[JobState] = (),
        study: str | None = None,
        before: int | None = None,
        limit: int = 100,
    ) -> tuple[Job, ...]:
        """Return jobs, the newest first.

        Args:
            states: Only jobs in one of these; all by default.
            study: Only jobs of this study recipe.
            before: Only jobs with a smaller number.
        """
        query = query_of_jobs().order_by(JobRow.id.desc()).limit(limit)
        if states:
            query = query.where(JobRow.state.in_([state.value for state in states]))
        if study is not None:
            query = query.where(JobRow.study == study)
        if before is not None:
            query = query.where(JobRow.id < before)
        with self._session() as session:
            jobs = tuple(job_of(row) for row in session.execute(query))
        self._on_over([job.id for job in jobs if job.state.is_over])
        return jobs

    def number_unfinished(self) -> int:
        """Return how many jobs are not over."""
        query = select(func.count()).select_from(JobRow).where(JobRow.state.in_(at_work()))
        with self._session() as session:
            return session.execute(query).scalar_one()

    def cancel(self, id: int, who: str) -> Job:
        """Cancel a job, at once if no driver has begun it; else its driver is asked for the end.

        A job that is over stays as it is.

        Raises:
            NoSuchJob: If there is none of that number.
        """
        with self._session() as session, session.begin():
            # Nothing is changed by this, but the row is locked, so the driver does not change it meanwhile.
            session.execute(update(JobRow).where(JobRow.id == id).values(id=id))
            job = job_of(self._one(session, id))
            if not job.state.is_over and not job.asked_to_cancel:
                add_event(session, id, "cancel", {"who": who})
                session.execute(
                    update(JobRow).where(JobRow.id == id).values(asked_to_cancel=who or "somebody")
                )
            # A driver that is being started finds its claim gone.
            if not job.state.is_over and (job.state is JobState.QUEUED or not job.alive):
                end_job(session, id, JobState.CANCELLED, f"cancelled by {who or 'somebody'}")
            return self._read(job_of(self._one(session, id)))

    def events(self, id: int, *, after: int = 0, limit: int = 1000) -> tuple[JobEvent, ...]:
        """Return the events of a job with larger numbers than `after`, by number; see `job` for errors."""
        with self._session() as session:
            self._one(session, id)
            rows = session.scalars(
                select(JobEventRow)
                .where(JobEventRow.job_id == id, JobEventRow.number > after)
                .order_by(JobEventRow.number)
                .limit(limit)
            )
            with validated(f"the events of job {id}"):
                events = tuple(
                    JobEvent(number=row.number, at=row.at, what=row.what, data=json.loads(row.data))
                    for row in rows
                )
                if any(event.what == "state" and JobState(event.data["state"]).is_over for event in events):
                    self._on_over([id])
                return events

    def heads(self, ids: Collection[int]) -> Mapping[int, tuple[int, JobState]]:
        """Return the number of the last event and the state of each of these jobs."""
        query = select(JobRow.id, JobRow.events, JobRow.state).where(JobRow.id.in_(list(ids)))
        with self._session() as session, validated("its jobs"):
            heads = {row.id: (row.events, JobState(row.state)) for row in session.execute(query)}
        self._on_over([number for number, (_, state) in heads.items() if state.is_over])
        return heads

    def _insert(self, session: Session, values: Mapping[str, Any]) -> Job:
        """Store a new job; an IntegrityError if there is one under its key undoes nothing else."""
        with session.begin_nested():
            row = JobRow(
                **values,
                state=JobState.QUEUED.value,
                created=session.execute(select(Now())).scalar_one(),
                attempts=0,
                reason="",
                events=0,
            )
            session.add(row)
            session.flush()
        add_event(session, row.id, "state", {"state": JobState.QUEUED.value})
        return job_of(self._one(session, row.id))

    def _former(self, session: Session, same: str) -> JobRow | None:
        """Return the job of a key; one that is too old gives the key back."""
        former = session.scalar(select(JobRow).where(JobRow.same == same))
        if former is None or session.execute(select(Now())).scalar_one() - former.created <= SAME_SECONDS:
            return former
        former.same = None
        session.flush()
        return None

    def _read(self, job: Job) -> Job:
        if job.state.is_over:
            self._on_over([job.id])
        return job

    @staticmethod
    def _one(session: Session, id: int) -> Row[JobRow, bool, float]:
        query = query_of_jobs().where(JobRow.id == id).execution_options(populate_existing=True)
        row = session.execute(query).one_or_none()
        if row is None:
            raise NoSuchJob(f"there is no job {id}; GET /v1/jobs lists them")
        return row

    def _session(self) -> AbstractContextManager[Session]:
        return translated_session(self._engine, expire_on_commit=False)


def query_of_jobs() -> Select[JobRow, bool, float]:
    """Return the query of all jobs, each with what `job_of` needs beside its row."""
    valid = JobRow.claim.is_not(None) & (JobRow.expires > Now())
    return select(JobRow, valid.label("valid"), (Now() - JobRow.told).label("age"))


def at_work() -> list[str]:
    """Return the states of jobs that are not over."""
    return [state.value for state in _AT_WORK]


def add_event(session: Session, id: int, what: str, data: Mapping[str, Any]) -> None:
    """Add an event to a job; its row stays locked until the end of the transaction."""
    session.execute(update(JobRow).where(JobRow.id == id).values(events=JobRow.events + 1))
    number = session.execute(select(JobRow.events).where(JobRow.id == id)).scalar_one()
    row = {"job_id": id, "number": number, "at": Now(), "what": what, "data": json.dumps(data)}
    session.execute(insert(JobEventRow).values(**row))


def end_job(session: Session, id: int, state: JobState, reason: str, result: Any = None) -> None:
    """End a job, and give its claim back."""
    add_event(session, id, "state", {"state": state.value, **({"reason": reason} if reason else {})})
    session.execute(
        update(JobRow)
        .where(JobRow.id == id)
        .values(
            state=state.value,
            ended=Now(),
            reason=reason,
            result=None if result is None else json.dumps(result),
            claim=None,
            owner=None,
            expires=None,
        )
    )


def job_of(columns: Row[JobRow, bool, float]) -> Job:
    """Return the job of a row of `query_of_jobs`."""
    row, valid, age = columns
    with validated(f"job {row.id}"):
        owner = None if row.owner is None else Process.model_validate_json(row.owner)
        return Job(
            id=row.id,
            what=row.what,
            study=row.study,
            recipe=row.recipe,
            request=json.loads(row.request),
            state=JobState(row.state),
            who=row.who,
            created=row.created,
            started=row.started,
            ended=row.ended,
            attempts=row.attempts,
            reason=row.reason,
            asked_to_cancel=row.asked_to_cancel or "",
            owner="" if owner is None else str(owner),
            alive=bool(valid) and owner is not None and not owner.gone,
            here=owner is not None and owner.is_here,
            claim=row.claim,
            progress=None if row.progress is None else json.loads(row.progress),
            age=age or 0.0,
            result=None if row.result is None else json.loads(row.result),
            events=row.events,
        )
