"""`/v1/jobs`: what the service is asked to do, how far it is, and how it ends."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Final

from fastapi import APIRouter, Header, Path, Query, Request
from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from autokd.config.mistakes import NAME
from autokd.core.job import Job, JobEvent, JobState
from autokd.service.accepted import preferred
from autokd.service.audit import audit, token_of, who_asks
from autokd.service.auth import reads, tunes
from autokd.service.context import Context, InContext, errors
from autokd.service.job_entries import EventEntry, JobEntry, JobWithResult, entry, event_entry, with_result
from autokd.service.job_requests import JobRequest, chosen_pairs, opened, recipe_hash, request_json
from autokd.service.problems import Problem

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

_JSON, _EVENTS = "application/json", "text/event-stream"
_LARGEST: Final = 2**31 - 1
_MOST: Final = 1000
"""Jobs or events in one answer."""
_MOST_WAITING: Final = 1000
"""Jobs that are not over; all servers look at all of them every second."""
JobNumber = Annotated[int, Path(ge=1, le=_LARGEST, description="Number of a job.")]
_LOCATION = {"Location": {"description": "Address of the job.", "schema": {"type": "string"}}}


@router.post(
    "",
    summary="Ask for a job",
    status_code=202,
    response_model=JobEntry,
    dependencies=[tunes],
    responses={
        **errors(400, 404, 408, 413, 415),
        202: {"description": "It is queued, or was posted before.", "headers": _LOCATION},
    },
)
def post_job(
    context: InContext,
    request: Request,
    job: JobRequest,
    idempotency_key: Annotated[
        str | None,
        Header(
            min_length=1,
            max_length=200,
            pattern=r"^[!-~]+$",
            description="The same request under the same key is the same job for 24 hours.",
        ),
    ] = None,
) -> Response:
    """Queue a job; what the store has is not done again, so a retry is a new job with the same content."""
    if context.opened.jobs.number_unfinished() >= _MOST_WAITING:
        problem, later = f"{_MOST_WAITING:,} jobs wait already", {"Retry-After": "60"}
        raise Problem(429, "queue", problem, way_out="cancel some, or try again later", headers=later)
    study = context.catalogue.study(job.study)
    config = context.catalogue.config(study)
    workspace = opened(job, study.source, home=context.settings.home, storage=context.settings.address)
    pairs = chosen_pairs(job, workspace)
    posted, new = context.opened.jobs.add(
        what=job.what,
        study=job.study,
        recipe=recipe_hash(config),
        request=request_json(job),
        who=who_asks(request),
        same=_same(request, idempotency_key),
    )
    if new:
        facts = {"what": job.what, "study": job.study, "pairs": len(pairs)}
        audit(context, request, "job.add", str(posted.id), facts)
        context.dispatcher.wake()
    headers = {"Location": f"/v1/jobs/{posted.id}"}
    return JSONResponse(entry(posted).model_dump(mode="json"), 202, headers)


@router.get("", summary="Jobs, the newest first", dependencies=[reads], responses=errors())
def list_jobs(
    context: InContext,
    state: Annotated[
        list[JobState] | None, Query(max_length=10, description="Only jobs in this state; may be repeated.")
    ] = None,
    study: Annotated[str | None, Query(pattern=NAME, description="Only jobs of this study recipe.")] = None,
    before: Annotated[
        int | None, Query(ge=1, le=_LARGEST, description="Only jobs with a smaller number: the next page.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=_MOST)] = 100,
) -> list[JobEntry]:
    """List jobs without their results."""
    jobs = context.opened.jobs.jobs(states=state or (), study=study, before=before, limit=limit)
    return [entry(job) for job in jobs]


@router.get("/{id}", summary="One job", dependencies=[reads], responses=errors(404))
def read_job(context: InContext, id: JobNumber) -> JobWithResult:
    """Return a job with its progress and the time that is left; once it has succeeded, with its result."""
    return with_result(known_job(context, id))


@router.post("/{id}/cancel", summary="Cancel a job", dependencies=[tunes], responses=errors(404))
def cancel_job(context: InContext, request: Request, id: JobNumber) -> JobEntry:
    """Cancel a job that waits at once; end one that is being done at the next report of its runs.

    What was found until then is kept. A job that is over stays as it is.
    """
    before = known_job(context, id)
    after = context.opened.jobs.cancel(id, who_asks(request))
    if not before.state.is_over:
        audit(context, request, "job.cancel", str(id), {"state": after.state.value})
    return entry(after)


@router.get(
    "/{id}/events",
    summary="What has happened to a job",
    response_model=list[EventEntry],
    dependencies=[reads],
    responses={
        **errors(404, 406),
        200: {"description": "The events.", "content": {_EVENTS: {"schema": {"type": "string"}}}},
    },
)
async def read_events(
    context: InContext,
    request: Request,
    id: JobNumber,
    after: Annotated[
        int | None, Query(ge=0, le=_LARGEST, description="Only events with larger numbers.")
    ] = None,
    last_event_id: Annotated[
        str | None, Header(max_length=20, description="The same; a browser sends it when it connects again.")
    ] = None,
    accept: Annotated[str | None, Header(description="application/json or text/event-stream.")] = None,
) -> Response:
    """Return the events so far; with `Accept: text/event-stream` also those to come, until the job is over.

    Of events `progress` only the last one is kept.
    """
    form = preferred(accept, (_JSON, _EVENTS))
    if form is None:
        raise Problem(
            406,
            "format",
            f"events are sent as {_JSON} or {_EVENTS}",
            field="Accept",
            way_out=f"send Accept: {_JSON} or Accept: {_EVENTS}",
        )
    if after is None:
        after = int(last_event_id) if last_event_id and _is_number(last_event_id) else 0
    jobs = context.opened.jobs
    events = await run_in_threadpool(jobs.events, id, after=after, limit=_MOST)
    if form == _JSON:
        content = [event_entry(event).model_dump(mode="json") for event in events]
        answer: Response = JSONResponse(content)
    else:
        answer = context.stream(request, _stream(context, id, after))
    answer.headers["Vary"] = "Accept"
    return answer


def known_job(context: Context, id: int) -> Job:
    """Return a job.

    Raises:
        NoSuchJob: If there is none of that number.
    """
    return context.opened.jobs.job(id)


async def _stream(context: Context, id: int, after: int) -> AsyncGenerator[bytes, None]:
    async with aclosing(context.feed.listen(id, after=after)) as events:
        async for event in events:
            yield KEEPALIVE_COMMENT if event is None else _line(event)


def _line(event: JobEvent) -> bytes:
    shown = event_entry(event)
    return format_sse_event(event=shown.what, id=str(shown.id), data_str=shown.model_dump_json())


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and int(text) <= _LARGEST


def _same(request: Request, key: str | None) -> str | None:
    """Return what tells posts under a key of one token from all others."""
    if key is None:
        return None
    token = token_of(request)
    return hashlib.sha256(f"{'' if token is None else token.id} {key}".encode()).hexdigest()
