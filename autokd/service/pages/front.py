"""`/`: the studies, for those who have signed in; for all others the form that asks for a token."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import Annotated, Final
from urllib.parse import parse_qs

from fastapi import Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from autokd.errors import PlanError
from autokd.service.auth import address_of, check_guesses
from autokd.service.context import Context, InContext
from autokd.service.pages.rendering import page_router, rendered, token_of
from autokd.service.pages.work import ACTIVE
from autokd.service.places import without_place
from autokd.service.problems import Problem
from autokd.service.resources.studies import list_studies
from autokd.service.sessions import cookie_name
from autokd.service.views import OpenStudy
from autokd.workflows.status import status_in

router = page_router()

_FORM: Final = "application/x-www-form-urlencoded"
_LONGEST: Final = 4096
"""Bytes of the longest form that can hold a token."""
_MOST: Final = 1000
"""Most jobs that are counted."""
_NEXT: Final = re.compile(r"/(?:studies/|optuna/)[A-Za-z0-9._~%/?=&-]{0,500}", re.ASCII)
"""Addresses that signing in may lead to: pages of this service and no other."""
_NOT_VALID: Final = "This token does not hold: it is mistyped, expired or revoked."


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyLine:
    """A study in the list.

    Attributes:
        participants, pairs: None if the recipe cannot be used.
        judged: Pairs that have a verdict.
        jobs: Jobs that wait or are being done.
        problem: Why it cannot be used; empty if it can.
    """

    name: str
    origin: str
    participants: int | None
    pairs: int | None
    judged: int = 0
    jobs: int = 0
    problem: str = ""


@router.get("/")
def read_front(
    request: Request, context: InContext, next: Annotated[str | None, Query(max_length=2000)] = None
) -> Response:
    """Return the studies; for those who have not signed in, the form."""
    if token_of(request) is None and not context.settings.no_auth:
        return rendered(request, "sign_in.html", title="sign in", next=_safe(next), problem="")
    if next is not None:
        return RedirectResponse(_safe(next) or "/", 303)
    return rendered(request, "front.html", title="studies", studies=_lines(context))


@router.get("/optuna")
def read_optuna() -> Response:
    """Lead to Optuna Dashboard, whose addresses begin with a slash more."""
    return RedirectResponse("/optuna/", 303)


@router.post("/sign-in")
async def sign_in(request: Request, context: InContext) -> Response:
    """Check a token as every request's is checked, and give the browser a session."""
    fields = await _fields(request)
    address, target = address_of(request.scope), _safe(fields.get("next"))
    status, problem, headers = 401, _NOT_VALID, dict[str, str]()
    try:
        check_guesses(context.guesses, address)
        token = await run_in_threadpool(context.sessions.find, fields.get("token", "").strip())
    except Problem as error:
        token, status, headers = None, error.status, dict(error.headers or {})
        problem = f"{error.detail[:1].upper()}{error.detail[1:]}; {error.way_out}."
    else:
        if token is None:
            context.guesses.wait(address)
    if token is None:
        page = rendered(request, "sign_in.html", status, title="sign in", next=target, problem=problem)
        page.headers.update(headers)
        return page
    answer = RedirectResponse(target or "/", 303)
    number, name = await run_in_threadpool(context.sessions.start, token), cookie_name(request.headers)
    secure = _is_secure(request)
    answer.set_cookie(name, number, path="/", secure=secure, httponly=True, samesite="strict")
    return answer


@router.post("/sign-out")
def sign_out(request: Request, context: InContext) -> Response:
    """End the session."""
    number = getattr(request.state, "session", None)
    if number is not None:
        context.sessions.end(number)
    answer = RedirectResponse("/", 303)
    secure = _is_secure(request)
    answer.delete_cookie(
        cookie_name(request.headers), path="/", secure=secure, httponly=True, samesite="strict"
    )
    return answer


async def _fields(request: Request) -> dict[str, str]:
    """Return the fields of a form."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        raise Problem(415, "format", f"a form is sent as {_FORM}", field="Content-Type")
    body = await request.body()
    if len(body) > _LONGEST:
        raise Problem(413, "too-large", f"a form has at most {_LONGEST} bytes")
    try:
        fields = parse_qs(body.decode("ascii"), max_num_fields=10, keep_blank_values=True)
    except ValueError:
        raise Problem(400, "form", "the form cannot be read") from None
    return {name: values[0] for name, values in fields.items()}


def _safe(target: str | None) -> str:
    """Return an address if it is one of this service's pages, else nothing."""
    return target if target is not None and _NEXT.fullmatch(target) and "//" not in target else ""


def _is_secure(request: Request) -> bool:
    """Return whether the browser speaks TLS, with this process or with a proxy before it."""
    return request.scope["scheme"] == "https" or request.headers.get("origin", "").startswith("https://")


def _lines(context: Context) -> list[StudyLine]:
    lines = []
    active = Counter(job.study for job in context.opened.jobs.jobs(states=ACTIVE, limit=_MOST))
    for entry in list_studies(context):
        problem = "; ".join(f"{each.file}: {each.field}: {each.problem}" for each in entry.problems)
        judged = 0
        try:
            if not problem and context.views.is_prepared(entry.name):
                judged = context.views.answer(entry.name, None, "judged", _judged)
        except PlanError as error:
            problem = without_place(error.problem, context.settings.home, context.settings.root)
        lines.append(
            StudyLine(
                name=entry.name,
                origin=entry.origin,
                participants=entry.participants,
                pairs=entry.pairs,
                judged=judged,
                jobs=active[entry.name],
                problem=problem,
            )
        )
    return lines


def _judged(study: OpenStudy) -> int:
    """Return how many pairs have a verdict, as `autokd status` counts them."""
    return status_in(study.workspace, study.results).judged if study.results.is_prepared else 0
