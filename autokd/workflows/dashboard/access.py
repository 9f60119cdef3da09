"""Who may ask Optuna Dashboard for what: it has no password, and by itself answers whoever reaches it.

A page of any site can send requests to this machine from the browser of whoever looks at it. Two things tell
such requests from those of the dashboard's own page: the host that they name, and where they come from.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
_EVERYWHERE: Final = ("", "0.0.0.0", "::")
_READING: Final = ("GET", "HEAD")
_AUTHORITY: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[\w.-]+)(?::(\d{1,5}))?", re.ASCII)
_MOST_READ: Final = 2**16
_DEFAULT_PORTS: Final = {"http": "80", "https": "443"}
_HEADERS: Final = (
    ("X-Frame-Options", "DENY"),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
)
"""Other sites' pages may neither show the dashboard in a frame nor load parts of it."""


def is_loopback(host: str) -> bool:
    """Return whether an address to listen on can be reached from this machine only."""
    name = host.strip("[]").lower()
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


def names_of(host: str, others: Iterable[str] = ()) -> frozenset[str]:
    """Return the names by which a server may be asked for, in lower case and without port.

    Args:
        host: Address that it listens on.
        others: Further names, for instance of a proxy in front of it.
    """
    names = {*_LOOPBACK, host, *others}
    if host in _EVERYWHERE:
        names |= {socket.gethostname(), socket.getfqdn()}
    return frozenset(name.strip("[]").lower() for name in names if name)


def guarded(
    app: WSGIApplication, *, names: Collection[str], any_address: bool, writable: bool
) -> WSGIApplication:
    """Return an application that answers only its own page and programs, and changes nothing unless told so.

    It refuses (421) a request that names another host: another site's page can reach this machine by a name
    of its own that it has made resolve to it. It refuses (403) each change unless `writable`, and then each
    that another site's page sends.

    Args:
        names: Names that a request may have in its `Host` header, see `names_of`.
        any_address: Whether numeric addresses are names, too: if it listens on all addresses of the machine.
    """

    def answer(environment: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        def start_guarded(
            status: str, headers: list[tuple[str, str]], *more: object
        ) -> Callable[[bytes], object]:
            return start(status, [*headers, *_HEADERS], *more)  # type: ignore[arg-type]

        host, method = environment.get("HTTP_HOST", ""), environment["REQUEST_METHOD"]
        refusal = ""
        if not _is_ours(host, names, any_address=any_address):
            refusal = "421 Misdirected Request"
            problem = "this server is not asked for by that name; autokd dashboard --allow-host NAME adds one"
        elif method not in _READING:
            if not writable:
                refusal = "403 Forbidden"
                problem = "this dashboard is read-only; autokd dashboard --writable lets it change studies"
            elif not _is_same_site(environment, host):
                refusal = "403 Forbidden"
                problem = "another site's page may not change studies"
        if not refusal:
            return app(environment, start_guarded)
        # What was sent is read, as far as it is not long: else the answer may be lost with the connection.
        length = environment.get("CONTENT_LENGTH") or "0"
        environment["wsgi.input"].read(min(int(length[:18]), _MOST_READ) if length.isdecimal() else 0)
        # The dashboard's page shows a `reason`.
        body = f'{{"reason": "{problem}"}}\n'.encode()
        start_guarded(refusal, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [] if method == "HEAD" else [body]

    return answer


def _is_ours(host: str, names: Collection[str], *, any_address: bool) -> bool:
    authority = _AUTHORITY.fullmatch(host)
    if authority is None:
        return False
    name = authority[1].strip("[]").lower()
    if name in names or name.removesuffix(".") in names:
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return any_address


def _is_same_site(environment: WSGIEnvironment, host: str) -> bool:
    """Return whether the page that sends a request, if it is one, was loaded from the host that it asks.

    Browsers name the page's origin with each change; programs such as curl have none.
    """
    if environment.get("HTTP_SEC_FETCH_SITE", "same-origin") not in ("same-origin", "none"):
        return False
    origin = environment.get("HTTP_ORIGIN")
    if origin is None:
        return True
    scheme, _, authority = origin.lower().partition("://")
    return scheme in _DEFAULT_PORTS and _full(authority, scheme) == _full(host.lower(), scheme)


def _full(authority: str, scheme: str) -> tuple[str, str] | None:
    parts = _AUTHORITY.fullmatch(authority)
    return (parts[1], parts[2] or _DEFAULT_PORTS[scheme]) if parts else None
