"""Jobs and their events as the service shows them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, Field

from autokd.core.job import Job, JobEvent, JobState


class JobProgress(BaseModel):
    """What the driver of a job has told last; figures of other stages are null."""

    stage: str = Field(description="prepare, tune, sweep, explain or distill.")
    done: int = Field(
        description="Runs that have ended; participants, or epochs, while it prepares or distills."
    )
    left: int = Field(description="Estimate of those that are left.")
    seconds_left: float | None = Field(description="Estimate of the time that is left, from now.")
    runs_per_second: float | None = None
    in_progress: int | None = Field(default=None, description="Runs that are being done.")
    pairs: int | None = None
    judged: int | None = Field(default=None, description="Pairs that have a verdict.")
    share_of_sweep: float | None = None
    failed: int | None = None


class JobEntry(BaseModel):
    """A job."""

    id: int
    what: str = Field(description="tune, sweep, explain or distill.")
    study: str
    state: JobState
    request: dict[str, Any] = Field(description="What was posted; fields with their default are left out.")
    who: str | None = Field(description="Name of the token that has posted it; null without tokens.")
    created: str = Field(description="Time, as ISO 8601, as the next two.")
    started: str | None
    ended: str | None
    progress: JobProgress | None
    reason: str | None = Field(description="Why it waits, has failed or was cancelled.")
    asked_to_cancel: str | None = Field(description="Who has asked for its end.")
    driver: str | None = Field(description="User, machine and process of its driver.")
    events: int = Field(description="Number of its last event.")


class JobWithResult(JobEntry):
    """A job, with what its command would print with `--json`."""

    result: Any = Field(description="Null until it has succeeded.")


class EventEntry(BaseModel):
    """Something that has happened to a job; as a server-sent event, `what` is its type."""

    id: int
    at: str = Field(description="Time, as ISO 8601.")
    what: str = Field(description="state, progress, verdict or cancel.")
    data: dict[str, Any]


def entry(job: Job) -> JobEntry:
    """Return a job as lists show it."""
    return JobEntry(**_fields(job))


def with_result(job: Job) -> JobWithResult:
    """Return a job with its result."""
    return JobWithResult(**_fields(job), result=job.result)


def event_entry(event: JobEvent) -> EventEntry:
    """Return an event."""
    return EventEntry(id=event.number, at=iso(event.at), what=event.what, data=dict(event.data))


def iso(seconds: float) -> str:
    """Return a time of the store as ISO 8601."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def _fields(job: Job) -> dict[str, Any]:
    progress = None if job.progress is None else dict(job.progress)
    if progress is not None:
        left = progress.get("seconds_left")
        if job.state.is_over:
            progress["seconds_left"] = None
        elif left is not None:
            progress["seconds_left"] = round(max(0.0, left - job.age), 1)
    return {
        "id": job.id,
        "what": job.what,
        "study": job.study,
        "state": job.state,
        "request": dict(job.request),
        "who": job.who or None,
        "created": iso(job.created),
        "started": None if job.started is None else iso(job.started),
        "ended": None if job.ended is None else iso(job.ended),
        "progress": progress,
        "reason": job.reason or None,
        "asked_to_cancel": job.asked_to_cancel or None,
        "driver": job.owner or None,
        "events": job.events,
    }
