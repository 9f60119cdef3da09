"""Who may ask: every request but those for health needs a token, and each token has a scope."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Annotated, Final

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as Connection

from autokd.core.access_token import AccessToken, Scope, public_part
from autokd.errors import AutokdError
from autokd.service.problems import Problem, problem_of, request_id, response
from autokd.service.rates import Rates
from autokd.service.settings import is_loopback

OPEN: Final = frozenset({"/healthz", "/readyz"})
"""Paths that need no token: a load balancer has none."""
_HARMLESS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing."""
_GUESSES_PER_SECOND: Final = 1.0
_GUESSES: Final = 20.0
"""Wrong tokens that one address may send at once; afterwards one a second."""
_LONGEST: Final = 200
"""Characters of the longest header that can hold a token."""

bearer = HTTPBearer(auto_error=False, description="What `autokd token create` has shown.")
"""Tells OpenAPI what `Authentication` does."""


class Authentication:
    """Lets requests with a valid token through, and counts them.

    Args:
        find: Returns what is stored of the token with a public part, or None.
        rates: Bounds the requests of a token, or of an address without one.
        no_auth: Whether no token is wanted; then only this machine is let in.
        origins: Other sites whose pages may change something.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        find: Callable[[str], AccessToken | None],
        rates: Rates,
        no_auth: bool,
        origins: Collection[str] = (),
    ) -> None:
        self._app, self._find, self._rates, self._no_auth = app, find, rates, no_auth
        self._origins = frozenset(origins)
        self._guesses = Rates(_GUESSES_PER_SECOND, _GUESSES)

    async def __call__(self, scope: Connection, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            try:
                await self._admit(scope)
            except (Problem, AutokdError) as error:
                await response(problem_of(error), request_id(scope))(scope, receive, send)
                return
        await self._app(scope, receive, send)

    async def _admit(self, scope: Connection) -> None:
        address = (scope.get("client") or ("unknown", 0))[0]
        headers = Headers(scope=scope)
        if self._no_auth:
            self._check_host(headers)
        if scope["method"] not in _HARMLESS:
            self._check_origin(headers)
        if self._no_auth or scope["path"] in OPEN:
            self._count(f"address {address}")
            return
        if self._guesses.is_empty(address):
            raise _too_many(1.0, "this address has sent too many wrong tokens")
        token = await self._token(headers)
        if token is None:
            self._guesses.wait(address)
            raise Problem(
                401,
                "token",
                "the request has no token that holds",
                field="Authorization",
                way_out="send the header Authorization: Bearer TOKEN; autokd token create makes one",
                headers={"WWW-Authenticate": 'Bearer realm="autokd"'},
            )
        self._count(f"token {token.id}")
        scope["state"]["token"] = token

    async def _token(self, headers: Headers) -> AccessToken | None:
        """Return the token of a request if it holds; nobody learns why it does not."""
        values = headers.getlist("authorization")
        if len(values) != 1 or len(values[0]) > _LONGEST:
            return None
        scheme, _, text = values[0].partition(" ")
        public = public_part(text)
        if scheme.lower() != "bearer" or public is None:
            return None
        stored = await run_in_threadpool(self._find, public)
        valid = stored is not None and stored.is_for(text) and stored.holds
        return stored if valid else None

    def _count(self, key: str) -> None:
        seconds = self._rates.wait(key)
        if seconds:
            raise _too_many(seconds, "there were too many requests")

    def _check_origin(self, headers: Headers) -> None:
        """Refuse a change that a page of another site has sent; programs name no origin."""
        origin = headers.get("origin")
        ours = {f"{scheme}://{headers.get('host', '')}" for scheme in ("http", "https")}
        if origin is not None and origin not in ours | self._origins:
            raise Problem(
                403,
                "origin",
                "a page of another site has sent this request",
                field="Origin",
                way_out="name the site by --cors if its pages may change something",
            )

    @staticmethod
    def _check_host(headers: Headers) -> None:
        """Refuse a page of another site whose name was made to mean this machine (DNS rebinding)."""
        host = headers.get("host", "")
        name = host.rpartition(":")[0] if host.rpartition(":")[2].isdecimal() else host
        if not is_loopback(name.strip("[]")):
            raise Problem(
                421,
                "host",
                "without tokens the service answers under a name of this machine only",
                field="Host",
                way_out="ask 127.0.0.1 or localhost, or serve with tokens",
            )


def wants(scope: Scope) -> Callable[..., None]:
    """Return a dependency that refuses tokens whose scope does not include `scope`."""

    def check(
        request: Request, _: Annotated[HTTPAuthorizationCredentials | None, Security(bearer)] = None
    ) -> None:
        token: AccessToken | None = getattr(request.state, "token", None)
        # Without a token, `Authentication` has let the request through since none is wanted.
        if token is not None and not token.scope.includes(scope):
            raise Problem(
                403,
                "scope",
                f"the token {token.name} has the scope {token.scope}, which does not include {scope}",
                way_out=f"use a token made with --scope {scope}",
            )

    return check


reads: Final = Depends(wants(Scope.READ))
tunes: Final = Depends(wants(Scope.TUNE))
administers: Final = Depends(wants(Scope.ADMIN))


def _too_many(seconds: float, detail: str) -> Problem:
    later = max(1, round(seconds + 0.5))
    headers = {"Retry-After": str(later)}
    return Problem(429, "rate", detail, way_out=f"try again in {later} s", headers=headers)
