"""Errors as problem documents (RFC 9457): what is wrong, in which field, and the way out."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from autokd.errors import (
    ArgumentError,
    AutokdError,
    FederationError,
    InputError,
    NotTuned,
    PairBusy,
    PlanError,
    StoreUnreachable,
    UnknownName,
)
from autokd.service.places import plain_without_place, without_place
from autokd.store.jobs import NoSuchJob, OtherRequest
from autokd.text.escaping import one_line
from autokd.text.quoting import quoted

MEDIA_TYPE: Final = "application/problem+json"
_log = logging.getLogger(__name__)
_TITLES: Final = {
    400: "bad request",
    401: "no valid token",
    403: "not allowed",
    404: "not found",
    405: "no such method",
    406: "not in a format that is accepted",
    408: "too slow",
    409: "conflict",
    413: "too large",
    415: "unknown format",
    416: "not in the file",
    421: "wrong host",
    422: "not valid",
    429: "too many requests",
    500: "the service failed",
    503: "not available now",
    507: "no room",
}


class FieldProblem(BaseModel):
    """One thing that is wrong with what was sent."""

    file: str = Field(description="The recipe, or the part of the request: path, query or header.")
    field: str = Field(description="The field, with dots; empty if it is the whole.")
    problem: str


class ProblemDocument(BaseModel):
    """An error, as RFC 9457 has it."""

    type: str = Field(description="Kind of problem: urn:autokd:problem: and a word.")
    title: str
    status: int
    detail: str = Field(description="What is wrong, in a sentence.")
    instance: str = Field(description="The request: urn:autokd:request: and its id, as in the log.")
    field: str | None = Field(default=None, description="The field that is wrong, if it is one.")
    way_out: str | None = Field(default=None, description="What to do about it.")
    problems: list[FieldProblem] | None = Field(default=None, description="All that is wrong.")


class Problem(Exception):
    """A request that cannot be answered.

    Attributes:
        status: HTTP status.
        kind: Last word of the problem's type.
        detail: What is wrong.
    """

    def __init__(
        self,
        status: int,
        kind: str,
        detail: str,
        *,
        field: str | None = None,
        way_out: str | None = None,
        problems: Sequence[Mapping[str, str]] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status, self.kind, self.detail = status, kind, detail
        self.field, self.way_out, self.problems, self.headers = field, way_out, problems, headers


def response(problem: Problem, request_id: str) -> JSONResponse:
    """Return a problem as a response."""
    content: dict[str, Any] = {
        "type": f"urn:autokd:problem:{problem.kind}",
        "title": _TITLES.get(problem.status, "error"),
        "status": problem.status,
        "detail": one_line(problem.detail),
        "instance": f"urn:autokd:request:{request_id}",
    }
    more = {
        "field": problem.field and one_line(problem.field),
        "way_out": problem.way_out and one_line(problem.way_out),
        # Names of fields are the client's, too, and may be no text in Unicode.
        "problems": problem.problems
        and [{name: one_line(text) for name, text in each.items()} for each in problem.problems],
    }
    content |= {name: value for name, value in more.items() if value is not None}
    return JSONResponse(content, problem.status, problem.headers, media_type=MEDIA_TYPE)


def install(app: FastAPI, home: Path, data_root: Path) -> None:
    """Let an application answer every error with a problem document.

    Args:
        home, data_root: Folders whose places on this machine are nobody's business.
    """

    def ours(request: Request, error: Exception) -> JSONResponse:
        problem = hide_places(problem_of(error), home, data_root)
        return response(problem, request_id(request.scope))

    for kind in (AutokdError, Problem, HTTPException, RequestValidationError, Exception):
        app.add_exception_handler(kind, ours)


def hide_places(problem: Problem, home: Path, data_root: Path) -> Problem:
    """Take out of a problem where two folders are; return it."""
    problem.detail = without_place(problem.detail, home, data_root)
    problem.way_out = problem.way_out and without_place(problem.way_out, home, data_root)
    problem.problems = problem.problems and plain_without_place(problem.problems, home, data_root)
    return problem


def request_id(scope: Mapping[str, Any]) -> str:
    """Return the id of a request."""
    return str(scope.get("state", {}).get("request_id", "unknown"))


def problem_of(error: Exception) -> Problem:
    """Return an error as a problem; of one that is a bug, nothing is told but that it happened."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, RequestValidationError):
        return _of_request(error)
    if isinstance(error, HTTPException):
        kind = re.sub(r"[^a-z]+", "-", _TITLES.get(error.status_code, "error"))
        detail = "there is nothing at this address" if error.status_code == 404 else str(error.detail)
        return Problem(error.status_code, kind, detail, headers=error.headers)
    if isinstance(error, AutokdError):
        return _of_autokd(error)
    return Problem(500, "bug", "this is a defect of the service; its log says more under the request's id")


def _of_autokd(error: AutokdError) -> Problem:
    detail = str(error)
    _, semicolon, rest = detail.rpartition("; ")
    way_out = rest if semicolon else None
    if isinstance(error, NotTuned):
        return Problem(404, "not-tuned", detail, way_out=way_out)
    if isinstance(error, UnknownName):
        return Problem(404, "unknown-name", detail, field=error.kind, way_out=way_out)
    if isinstance(error, NoSuchJob):
        return Problem(404, "job", detail, field="id", way_out="GET /v1/jobs lists them")
    if isinstance(error, OtherRequest):
        return Problem(422, "idempotency", detail, field="Idempotency-Key", way_out=way_out)
    if isinstance(error, StoreUnreachable):
        again = {"Retry-After": "5"}
        # The database's words may name hosts and files.
        words = "the database does not answer"
        return Problem(503, "store-unreachable", words, way_out="try again in a while", headers=again)
    if isinstance(error, PairBusy):
        return Problem(409, "pair-busy", detail, way_out=way_out)
    if isinstance(error, PlanError):
        # A file's name is enough: where it lies is nobody's business.
        named = error.within(Path(error.source).name)
        problems = [problem.to_json() for problem in named.all]
        return Problem(422, "recipe", str(named), field=error.field, way_out=way_out, problems=problems)
    if isinstance(error, ArgumentError):
        return Problem(422, "argument", detail, field=error.argument, way_out=way_out)
    if isinstance(error, FederationError):
        return Problem(503, "federation", detail, way_out=way_out)
    if isinstance(error, InputError):
        return Problem(422, "input", detail, way_out=way_out)
    _log.error("%s", error)
    return Problem(500, "store", "the service could not read the store; its log says more")


def _of_request(error: RequestValidationError) -> Problem:
    problems = [
        {
            "file": str(mistake["loc"][0]),
            "field": ".".join(map(str, mistake["loc"][1:])),
            "problem": f"{mistake['msg']}, not {quoted(mistake.get('input'))}",
        }
        for mistake in error.errors()
    ]
    first = problems[0]
    detail = f"{first['file']}: {first['field']}: {first['problem']}"
    way_out = "/openapi.json lists the parameters"
    return Problem(422, "argument", detail, field=first["field"], way_out=way_out, problems=problems)
