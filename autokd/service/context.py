"""What all resources share, and the parameters that several of them have."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import Depends, Path, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from autokd.config.mistakes import NAME
from autokd.core.access_token import AccessToken
from autokd.core.setting import Pair
from autokd.service.auth import address_of
from autokd.service.catalogue import Catalogue
from autokd.service.counters import Counters
from autokd.service.dispatcher import Dispatcher
from autokd.service.feed import Feed
from autokd.service.opened_store import OpenedStore
from autokd.service.problems import Problem, ProblemDocument
from autokd.service.rates import Rates
from autokd.service.readiness import Readiness
from autokd.service.sessions import Sessions
from autokd.service.settings import ServiceSettings
from autokd.service.streams import Streams
from autokd.service.views import OpenStudy, Views
from autokd.store.tokens import find_token

LARGEST: Final = 999_999
"""No federation has so many participants."""


@dataclass(frozen=True, slots=True)
class Context:
    """The parts of a running service."""

    settings: ServiceSettings
    opened: OpenedStore
    catalogue: Catalogue
    views: Views
    counters: Counters
    feed: Feed
    dispatcher: Dispatcher
    readiness: Readiness
    sessions: Sessions
    guesses: Rates
    streams: Streams

    def may_read(self, request: Request) -> bool:
        """Return whether who has sent a request may still read: the session, or else the token, holds."""
        session = getattr(request.state, "session", None)
        if session is not None:
            return self.sessions.token(session) is not None
        token: AccessToken | None = getattr(request.state, "token", None)
        stored = None if token is None else find_token(self.opened.store, token.id)
        return token is None or (stored is not None and stored.holds)

    def stream(self, request: Request, events: AsyncGenerator[bytes, None]) -> StreamingResponse:
        """Return server-sent events that end once who has asked for them may not read any more.

        Raises:
            Problem: If there are too many such streams.
        """
        token: AccessToken | None = getattr(request.state, "token", None)
        key = f"address {address_of(request.scope)}" if token is None else f"token {token.id}"
        self.streams.check(key)
        stream = self.streams.bounded(key, events, lambda: run_in_threadpool(self.may_read, request))
        # Proxies must not wait for more, either.
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(stream, media_type="text/event-stream", headers=headers)


async def _context(request: Request) -> Context:
    # Asynchronous, since other dependencies take a thread for each request.
    context: Context = request.app.state.context
    return context


InContext = Annotated[Context, Depends(_context)]
StudyName = Annotated[
    str, Path(pattern=NAME, description="A study recipe, as /v1/studies lists it.", examples=["digits"])
]
SpaceName = Annotated[
    str | None,
    Query(pattern=NAME, description="A shipped search space; by default the recipe's own."),
]
Participant = Annotated[int | None, Query(ge=0, le=LARGEST, description="Number of a participant.")]
PairName = Annotated[
    str,
    Path(pattern=r"^[0-9]{1,6}-[0-9]{1,6}$", description="Teacher and student.", examples=["4-9"]),
]

Responses = dict[int | str, dict[str, Any]]
_ERRORS: Final = {
    400: "The request cannot be read.",
    401: "No token that holds.",
    403: "The token's scope does not include this.",
    404: "No such study, pair, participant or job, or nothing is tuned yet.",
    406: "None of the formats that there are is accepted.",
    408: "The body is too slow.",
    409: "Something else is there.",
    413: "The body is too large.",
    415: "The body is in a format that is not known here.",
    416: "The range is not in the file.",
    422: "A parameter, or the recipe, is not valid.",
    429: "Too many requests.",
    503: "The store does not answer.",
    507: "The disk has no room.",
}


def errors(*statuses: int) -> Responses:
    """Return the responses of OpenAPI for these statuses, and for those that every request may have."""
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}}
    return {
        status: {"description": _ERRORS[status], "model": ProblemDocument, "content": content}
        for status in sorted({401, 403, 422, 429, 503, *statuses})
    }


def pair_of(study: OpenStudy, name: str) -> Pair:
    """Return the pair of a path such as `4-9`.

    Raises:
        Problem: If the federation has no such pair.
    """
    teacher, _, student = name.partition("-")
    return known_pair(study, int(teacher), int(student))


def known_pair(study: OpenStudy, teacher: int, student: int) -> Pair:
    """Return a pair; see `pair_of`."""
    if teacher != student:
        pair = Pair(teacher, student)
        if pair in study.workspace.pairs:
            return pair
    count = study.workspace.config.federation.size
    raise Problem(
        404,
        "pair",
        f"the federation has no pair {teacher}->{student}",
        field="pair",
        way_out=f"name two different participants; they are numbered 0 to {count - 1}",
    )


def known_participant(study: OpenStudy, number: int) -> int:
    """Return a participant's number.

    Raises:
        Problem: If the federation has no such participant.
    """
    count = study.workspace.config.federation.size
    if number < count:
        return number
    way_out = f"they are numbered 0 to {count - 1}"
    raise Problem(
        404, "participant", f"participant {number} does not exist", field="student", way_out=way_out
    )
