"""`/v1/audit`: who has changed what."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from autokd.service.auth import administers
from autokd.service.context import InContext, errors
from autokd.service.job_entries import iso
from autokd.store.audit import lines

router = APIRouter(prefix="/v1/audit", tags=["operation"], dependencies=[administers])


class AuditEntry(BaseModel):
    """A change that somebody has made over HTTP."""

    id: int
    at: str = Field(description="Time, as ISO 8601.")
    who: str | None = Field(description="Name of the token; null without tokens.")
    token: str | None = Field(description="Public part of the token.")
    request: str = Field(description="Id of the request, as in the log.")
    what: str = Field(description="job.add, job.cancel, study.put or file.put.")
    subject: str = Field(description="The job, the study or the file.")
    data: dict[str, Any]


@router.get("", summary="Changes, the newest first", responses=errors())
def list_changes(
    context: InContext,
    before: Annotated[
        int | None, Query(ge=1, le=2**31 - 1, description="Only lines before this one.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[AuditEntry]:
    """List the changes that were made over HTTP; nobody can change or remove a line."""
    return [
        AuditEntry(
            id=line.id,
            at=iso(line.at),
            who=line.who or None,
            token=line.token,
            request=line.request,
            what=line.what,
            subject=line.subject,
            data=dict(line.data),
        )
        for line in lines(context.opened.store, before=before, limit=limit)
    ]
