"""Which page has sent a request: one of the service's own, or one of another site."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers

HARMLESS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing."""
_PORTS: Final = {"http": "80", "https": "443"}


def is_own_page(headers: Headers) -> bool:
    """Return whether headers that only a browser writes show that a page of the service sends a request.

    The browser's own word, `Sec-Fetch-Site`, counts if it is there: a proxy may have changed the name that
    the service is asked by. Browsers that do not send it, and pages without TLS, name the page's origin.
    """
    origins = headers.getlist("origin")
    sites = headers.getlist("sec-fetch-site")
    if len(origins) > 1 or len(sites) > 1:
        return False
    if sites:
        return sites[0] == "same-origin"
    return bool(origins) and _is_of(origins[0], headers.get("host", ""))


def is_foreign_page(headers: Headers) -> bool:
    """Return whether a page of another site sends a request; programs name no page at all."""
    return ("origin" in headers or "sec-fetch-site" in headers) and not is_own_page(headers)


def _is_of(origin: str, host: str) -> bool:
    """Return whether an origin such as `https://tuning.example.org` has the host that is asked."""
    try:
        parts = urlsplit(origin.lower())
    except ValueError:
        return False
    if parts.scheme not in _PORTS or origin.lower() != f"{parts.scheme}://{parts.netloc}":
        return False
    return _with_port(parts.netloc, parts.scheme) == _with_port(host.lower(), parts.scheme)


def _with_port(authority: str, scheme: str) -> str:
    has_port = authority.rpartition(":")[2].isdecimal() and not authority.endswith("]")
    return authority if has_port else f"{authority}:{_PORTS[scheme]}"
