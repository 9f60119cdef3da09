"""Who may ask: every request but those for health needs a token, or a browser that has signed in with one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from ipaddress import IPv6Address, IPv6Network
from typing import Annotated, Final

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import URL, Headers
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as Connection

from autokd.core.access_token import AccessToken, Scope
from autokd.errors import AutokdError
from autokd.service.origins import HARMLESS, is_foreign_page, is_own_page
from autokd.service.problems import Problem, problem_of, request_id, response
from autokd.service.rates import Rates
from autokd.service.sessions import Sessions, session_number
from autokd.service.settings import is_loopback

OPEN: Final = frozenset({"/healthz", "/readyz"})
"""Paths that need no token: a load balancer has none."""
DOOR: Final = frozenset({"/", "/sign-in", "/sign-out"})
"""Where a browser signs in: those who have no session are let in, too."""
ASSETS: Final = "/assets/"
"""Start of the paths of what pages load, which is the same for everybody."""
_PAGES: Final = ("/studies/", "/optuna")
"""What the paths of pages begin with; who has no session is sent to the door."""
_GUESSES_PER_SECOND: Final = 1.0
_GUESSES: Final = 20.0
"""Wrong tokens that one address may send at once; afterwards one a second."""
_NETWORK_BITS: Final = 64
"""Bits of the networks of IPv6 that are given to one household or machine."""
_LONGEST: Final = 200
"""Characters of the longest header that can hold a token."""

bearer = HTTPBearer(auto_error=False, description="What `autokd token create` has shown.")
"""Tells OpenAPI what `Authentication` does."""


class Authentication:
    """Lets requests with a valid token through, and counts them.

    Args:
        sessions: Finds tokens, and knows the sessions of browsers.
        guesses: Bounds the wrong tokens of an address.
        rates: Bounds the requests of a token, or of an address without one.
        no_auth: Whether no token is wanted; then only this machine is let in.
        origins: Other sites whose pages may change something, with a token.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        sessions: Sessions,
        guesses: Rates,
        rates: Rates,
        no_auth: bool,
        origins: Collection[str] = (),
    ) -> None:
        self._app, self._rates, self._no_auth = app, rates, no_auth
        self._sessions, self._guesses, self._origins = sessions, guesses, frozenset(origins)

    async def __call__(self, scope: Connection, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            try:
                await self._admit(scope)
            except (Problem, AutokdError) as error:
                if isinstance(error, Problem) and error.status == 401 and is_page(scope):
                    await RedirectResponse(_door(scope), 303)(scope, receive, send)
                    return
                await response(problem_of(error), request_id(scope))(scope, receive, send)
                return
        await self._app(scope, receive, send)

    async def _admit(self, scope: Connection) -> None:
        address = address_of(scope)
        headers = Headers(scope=scope)
        if self._no_auth:
            self._check_host(headers)
        number = None if "authorization" in headers else session_number(headers)
        if scope["method"] not in HARMLESS:
            self._check_page(headers, has_session=number is not None)
        if self._no_auth or scope["path"] in OPEN or scope["path"].startswith(ASSETS):
            self._count(f"address {address}")
            return
        token = None if number is None else await run_in_threadpool(self._sessions.token, number)
        if token is not None:
            self._count(f"token {token.id}")
            scope["state"] |= {"token": token, "session": number}
            return
        if "authorization" not in headers and (scope["path"] in DOOR or number is not None or is_page(scope)):
            # Nobody guesses a token here, nor the number of a session, and open pages ask on after its end.
            self._count(f"address {address}")
            if scope["path"] not in DOOR:
                raise no_token("there is no session that holds", "sign in")
            return
        check_guesses(self._guesses, address)
        token = await self._token(headers)
        if token is None:
            self._guesses.wait(address)
            raise no_token()
        self._count(f"token {token.id}")
        scope["state"]["token"] = token

    async def _token(self, headers: Headers) -> AccessToken | None:
        """Return the token of a request if it holds."""
        values = headers.getlist("authorization")
        if len(values) != 1 or len(values[0]) > _LONGEST:
            return None
        scheme, _, text = values[0].partition(" ")
        if scheme.lower() != "bearer":
            return None
        return await run_in_threadpool(self._sessions.find, text)

    def _count(self, key: str) -> None:
        seconds = self._rates.wait(key)
        if seconds:
            raise _too_many(seconds, "there were too many requests")

    def _check_page(self, headers: Headers, *, has_session: bool) -> None:
        """Refuse a change that a page of another site has sent; programs have no cookie and name no page."""
        if has_session:
            foreign = not is_own_page(headers)
        else:
            foreign = is_foreign_page(headers) and headers.get("origin") not in self._origins
        if foreign:
            raise Problem(
                403,
                "origin",
                "a page of another site has sent this request",
                field="Origin",
                way_out="use the service's own page, or send a token from a site that --cors names",
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


def wants(scope: Scope) -> Callable[[Request], None]:
    """Return what refuses requests with a token whose scope does not include `scope`."""

    def check(request: Request) -> None:
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


def _dependency(scope: Scope) -> Callable[..., Awaitable[None]]:
    """Return `wants` as a dependency; it is asynchronous, since others take a thread for each request."""
    check = wants(scope)

    async def require(
        request: Request, _: Annotated[HTTPAuthorizationCredentials | None, Security(bearer)] = None
    ) -> None:
        check(request)

    return require


reads: Final = Depends(_dependency(Scope.READ))
tunes: Final = Depends(_dependency(Scope.TUNE))
administers: Final = Depends(_dependency(Scope.ADMIN))


def new_guesses() -> Rates:
    """Return what bounds how many wrong tokens each address may send."""
    return Rates(_GUESSES_PER_SECOND, _GUESSES)


def check_guesses(guesses: Rates, address: str) -> None:
    """Refuse an address that has sent too many wrong tokens."""
    if guesses.is_empty(address):
        raise _too_many(1.0, "this address has sent too many wrong tokens")


def address_of(scope: Connection) -> str:
    """Return the address that has sent a request; of IPv6 the network, whose addresses are all one's own."""
    address = str((scope.get("client") or ("unknown", 0))[0])
    try:
        version6 = IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    if version6.ipv4_mapped is not None:
        return str(version6.ipv4_mapped)
    return str(IPv6Network((version6, _NETWORK_BITS), strict=False))


def no_token(detail: str = "the request has no token that holds", way_out: str | None = None) -> Problem:
    """Return the problem of a request without a token that holds."""
    send = "send the header Authorization: Bearer TOKEN; autokd token create makes one"
    return Problem(
        401,
        "token",
        detail,
        field="Authorization",
        way_out=way_out or send,
        headers={"WWW-Authenticate": 'Bearer realm="autokd"'},
    )


def is_page(scope: Connection) -> bool:
    """Return whether a browser asks for a page."""
    headers = Headers(scope=scope)
    return (
        scope["method"] == "GET"
        and scope["path"].startswith(_PAGES)
        and "text/html" in headers.get("accept", "")
        and "authorization" not in headers
    )


def _door(scope: Connection) -> str:
    path, query = scope["path"], scope["query_string"].decode("latin-1")
    path = f"{path}?{query}" if query else path
    return str(URL("/").include_query_params(next=path))


def _too_many(seconds: float, detail: str) -> Problem:
    later = max(1, round(seconds + 0.5))
    headers = {"Retry-After": str(later)}
    return Problem(429, "rate", detail, way_out=f"try again in {later} s", headers=headers)
