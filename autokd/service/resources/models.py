"""`/v1/jobs/{id}/model` and `/card`: what a job `distill` has made."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Annotated, Any, Final

from fastapi import APIRouter, Header
from starlette.responses import FileResponse, JSONResponse, Response

from autokd.core.job import JobState
from autokd.service.accepted import preferred
from autokd.service.auth import reads
from autokd.service.context import Context, InContext, errors
from autokd.service.job_folders import MODEL, folder_of
from autokd.service.places import without_place
from autokd.service.problems import Problem
from autokd.service.resources.jobs import JobNumber, known_job

router = APIRouter(prefix="/v1/jobs/{id}", tags=["models"], dependencies=[reads])

_JSON, _MARKDOWN = "application/json", "text/markdown"
_BYTES = "application/octet-stream"
_PART: Final = re.compile(r"(\d{0,15})-(\d{0,15})", re.ASCII)
_MOST_PARTS: Final = 10
_ETAG: Final = {"ETag": {"description": "Identifies the content.", "schema": {"type": "string"}}}


@router.head("/model", include_in_schema=False)  # Programs that fetch in parts ask for its length first.
@router.get(
    "/model",
    summary="The model that a job has made",
    response_class=FileResponse,
    responses={
        **errors(400, 404, 416),
        200: {
            "description": "The weights as safetensors.",
            "content": {_BYTES: {"schema": {"type": "string", "format": "binary"}}},
            "headers": _ETAG,
        },
        206: {
            "description": "A part of it, or several.",
            "content": {
                _BYTES: {"schema": {"type": "string", "format": "binary"}},
                "multipart/byteranges": {"schema": {"type": "string", "format": "binary"}},
            },
        },
        304: {"description": "It is the content that the client has."},
    },
)
def read_model(
    context: InContext,
    id: JobNumber,
    range: Annotated[
        str | None, Header(max_length=200, description="The part that is wanted, e.g. bytes=1000-.")
    ] = None,
    if_none_match: Annotated[
        str | None, Header(max_length=1000, description="The ETag of what the client has.")
    ] = None,
) -> Response:
    """Return the weights of a job `distill` that has succeeded."""
    path = _made(context, id)
    seen = path.stat()
    answer = FileResponse(path, media_type=_BYTES, filename=f"job-{id}.safetensors", stat_result=seen)
    mine = answer.headers["ETag"]
    if if_none_match is not None and mine in [tag.strip() for tag in if_none_match.split(",")]:
        return Response(status_code=304, headers={"ETag": mine})
    if range is not None:
        _check_range(range, seen.st_size)
    return answer


@router.get(
    "/card",
    summary="The card of that model",
    response_model=dict[str, Any],
    responses={
        **errors(404, 406),
        200: {"description": "The card.", "content": {_MARKDOWN: {"schema": {"type": "string"}}}},
    },
)
def read_card(
    context: InContext,
    id: JobNumber,
    accept: Annotated[str | None, Header(description="application/json or text/markdown.")] = None,
) -> Response:
    """Return what is known of the model: accuracy before and after, and how to make it again."""
    form = preferred(accept, (_JSON, _MARKDOWN))
    if form is None:
        raise Problem(
            406,
            "format",
            f"cards are sent as {_JSON} or {_MARKDOWN}",
            field="Accept",
            way_out=f"send Accept: {_JSON} or Accept: {_MARKDOWN}",
        )
    path, headers = _made(context, id), {"Vary": "Accept"}
    suffix = ".json" if form == _JSON else ".md"
    text = without_place(
        path.with_suffix(suffix).read_text(encoding="utf-8"), context.settings.home, context.settings.root
    )
    if form == _JSON:
        return JSONResponse(json.loads(text), headers=headers)
    return Response(text, media_type=_MARKDOWN, headers=headers)


def _made(context: Context, id: int) -> Path:
    """Return the file of the model of a job.

    Raises:
        Problem: If it has made none, or another server has it.
    """
    job = known_job(context, id)
    if job.what != "distill" or job.state is not JobState.SUCCEEDED:
        problem = f"job {id} ({job.what}, {job.state.value}) has no model"
        way_out = "post a job distill, and wait until it has succeeded"
        raise Problem(404, "no-model", problem, field="id", way_out=way_out)
    path = folder_of(context.settings.home, id) / MODEL
    if not path.is_file():
        raise Problem(
            404,
            "no-model",
            f"the model of job {id} is not in the home of this server",
            field="id",
            way_out="ask the server that has done the job, or post it again",
        )
    return path


def _check_range(range: str, size: int) -> None:
    """Refuse a range that cannot be read, or is outside of the file.

    Raises:
        Problem: With status 400 or 416.
    """
    unit, _, listed = range.partition("=")
    parts = [_PART.fullmatch(part.strip()) for part in listed.split(",")]
    bounds = [match.groups() for match in parts if match is not None]
    readable = len(bounds) == len(parts) <= _MOST_PARTS and ("", "") not in bounds
    if unit.strip() != "bytes" or not readable or any(a and b and int(a) > int(b) for a, b in bounds):
        problem = "the range cannot be read"
        way_out = "write it as Range: bytes=0-999, with at most ten parts"
        raise Problem(400, "range", problem, field="Range", way_out=way_out)
    if not all(int(a) < size if a else int(b) > 0 for a, b in bounds):
        headers = {"Content-Range": f"bytes */{size}"}
        way_out = f"ask for bytes 0 to {size - 1}"
        problem = f"the range is outside of the model, which has {size} bytes"
        raise Problem(416, "range", problem, field="Range", way_out=way_out, headers=headers)
