"""`PUT /v1/studies/{name}` and `PUT /v1/files/{path}`: study recipes, and the data that they name."""

from __future__ import annotations

import json
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, Field
from starlette.responses import JSONResponse, Response

from autokd.core.access_token import Scope
from autokd.service.audit import audit, token_of
from autokd.service.auth import tunes
from autokd.service.context import InContext, StudyName, errors
from autokd.service.problems import Problem
from autokd.service.recipes import RecipeTaker
from autokd.service.uploads import take_file

router = APIRouter(prefix="/v1", tags=["inputs"], dependencies=[tunes])

_JSON: Final = "application/json"
_YAML: Final = ("application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml")
_TEXT: Final = {"schema": {"type": "string"}}
_LONGEST: Final = 1500


class RecipeEntry(BaseModel):
    """A study recipe that was put into the home: what `autokd check --json` says of it."""

    study: str
    problems: list[dict[str, Any]]
    warnings: list[dict[str, Any]]
    participants: list[dict[str, Any]]
    splits: dict[str, int] | None
    detectable: float | None = Field(description="Smallest gain that is likely to be told from 0, in pp.")


class FileEntry(BaseModel):
    """A file that was put below the data root."""

    path: str = Field(description="As recipes name it.")
    bytes: int
    sha256: str


@router.put(
    "/studies/{name}",
    summary="Put a study recipe",
    response_model=RecipeEntry,
    responses={
        **errors(400, 408, 409, 413, 415),
        201: {"description": "It is there now.", "model": RecipeEntry},
        200: {"description": "It is there in place of a former one."},
    },
    openapi_extra={"requestBody": {"required": True, "content": dict.fromkeys((*_YAML[:1], _JSON), _TEXT)}},
)
async def put_study(context: InContext, request: Request, name: StudyName) -> Response:
    """Check a study recipe as `autokd check` does, and put it into the home if it has no problem.

    It may name data below the data root, by paths that start there, and code from the packages that the
    service allows. Results of a former recipe of that name stay in the store.
    """
    taker: RecipeTaker = request.app.state.recipes
    taken = await taker.take(name, _text(request, await request.body()))
    audit(context, request, "study.put", name, {"sha256": taken.sha256, "new": taken.new})
    return JSONResponse(taken.inspection, 201 if taken.new else 200, {"Location": f"/v1/studies/{name}"})


@router.put(
    "/files/{path:path}",
    summary="Put a file of data, or a checkpoint",
    response_model=FileEntry,
    responses={
        **errors(400, 404, 408, 409, 413, 507),
        201: {"description": "It is there now.", "model": FileEntry},
        200: {"description": "It is there in place of a former one."},
    },
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def put_file(
    context: InContext,
    request: Request,
    path: Annotated[str, Path(max_length=_LONGEST, description="Where it goes, from the data root.")],
) -> Response:
    """Put a file below the data root; only a token of the scope `admin` may replace one that is there."""
    token = token_of(request)
    taken = await take_file(
        context.settings.root,
        path,
        request.stream(),
        length=_length(request),
        most=context.settings.max_upload,
        replace=token is None or token.scope.includes(Scope.ADMIN),
    )
    entry = FileEntry(path=path, bytes=taken.bytes, sha256=taken.sha256)
    facts = {"bytes": taken.bytes, "sha256": taken.sha256, "new": taken.new}
    audit(context, request, "file.put", path, facts)
    return JSONResponse(entry.model_dump(), 201 if taken.new else 200)


def _length(request: Request) -> int | None:
    written = request.headers.get("content-length", "")
    return int(written) if written.isascii() and written.isdigit() and len(written) < 19 else None


def _text(request: Request, body: bytes) -> str:
    """Return the text of a recipe.

    Raises:
        Problem: If it is in another format.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in (_JSON, *_YAML):
        raise Problem(
            415,
            "format",
            "a study recipe is sent as YAML or JSON",
            field="Content-Type",
            way_out=f"send Content-Type: {_YAML[0]} or {_JSON}",
        )
    try:
        text = body.decode("utf-8-sig")
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False) if kind == _JSON else text
    except (ValueError, RecursionError):
        problem = "the recipe is not valid JSON in UTF-8" if kind == _JSON else "the recipe is not in UTF-8"
        raise Problem(400, "body", problem, field="body", way_out="send it in UTF-8") from None
