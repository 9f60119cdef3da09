"""How pages are rendered and sent; what goes wrong is a page, too."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.responses import HTMLResponse, Response

from autokd.core.access_token import AccessToken, Scope
from autokd.errors import AutokdError
from autokd.report.page import environment
from autokd.service.pages.assets import asset_address
from autokd.service.problems import Problem, hide_places, problem_of
from autokd.text.escaping import one_line

_MINUTE: Final = 60
_HOUR: Final = 3600
_PACKAGE: Final = "autokd.service.pages"
_POLICY: Final = {
    "default-src": "'none'",
    "script-src": "'self'",
    # Colors of cells stand beside them, and the figures set styles as they are drawn.
    "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data: blob:",
    "connect-src": "'self'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
    "base-uri": "'none'",
}
HEADERS: Final = {
    "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in _POLICY.items()),
    # Without any, browsers would not say where a form was sent from.
    "Referrer-Policy": "same-origin",
}
"""Only what the service itself serves is loaded, run or asked."""


def rendered(request: Request, name: str, status: int = 200, **content: object) -> HTMLResponse:
    """Return a page.

    Args:
        name: Name of its template.
    """
    return HTMLResponse(render(request, name, **content), status, HEADERS)


def render(request: Request, name: str, **content: object) -> str:
    """Return the text of a page; who has signed in stands at its top."""
    template = environment(_PACKAGE).get_template(name)
    token = token_of(request)
    return str(
        template.render(
            layout="service.html",
            asset=asset_address,
            signed_in=None if token is None else token.name,
            scope=None if token is None else token.scope.value,
            may_tune=may_tune(request),
            open_to_all=request.app.state.context.settings.no_auth,
            duration=duration,
            **content,
        )
    )


def token_of(request: Request) -> AccessToken | None:
    """Return the token of a request; None where no token is wanted, and before signing in."""
    token: AccessToken | None = getattr(request.state, "token", None)
    return token


def may_tune(request: Request) -> bool:
    """Return whether whoever asks may post and cancel jobs."""
    token = token_of(request)
    return token is None or token.scope.includes(Scope.TUNE)


class PageRoute(APIRoute):
    """A page whose errors are pages."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what answers a request."""
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handle(request)
            except (Problem, AutokdError, RequestValidationError) as error:
                settings = request.app.state.context.settings
                problem = hide_places(problem_of(error), settings.home, settings.root)
                page = rendered(request, "error.html", problem.status, **_words(problem))
                page.headers.update(problem.headers or {})
                return page

        return answer


def page_router(**options: Any) -> APIRouter:
    """Return a router of pages; they are no part of what OpenAPI tells programs."""
    return APIRouter(route_class=PageRoute, include_in_schema=False, **options)


def _words(problem: Problem) -> dict[str, str]:
    title = "Not found" if problem.status == 404 else "This did not work"
    detail, way_out = one_line(problem.detail), one_line(problem.way_out or "")
    # Many details end with their way out.
    return {"title": title, "detail": detail, "way_out": "" if way_out in detail else way_out}


def duration(seconds: float) -> str:
    """Return a time in words, as the command line writes it, e.g. `2:05 min`."""
    whole = round(seconds)
    if whole >= _HOUR:
        return f"{whole // _HOUR}:{whole % _HOUR // _MINUTE:02} h"
    return f"{whole // _MINUTE}:{whole % _MINUTE:02} min"
