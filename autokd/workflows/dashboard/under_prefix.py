"""Optuna Dashboard under an address of another application: it knows only the root of a server."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterable
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_BUNDLE: Final = "/static/bundle.js"
_PAGE: Final = "/dashboard"
_READING: Final = ("GET", "HEAD")
_ADDRESSES: Final = (
    ('url_prefix:"/dashboard"', 'url_prefix:"{}/dashboard"'),
    ("`${{this.baseURL}}/api/", "`${{this.baseURL}}{}/api/"),
    ("`/csv/${{", "`{}/csv/${{"),
    ("`/artifacts/${{", "`{}/artifacts/${{"),
)
"""Addresses as the dashboard's script writes them, and as it must write them; braces are doubled."""


class UnknownScript(Exception):
    """The script of the installed dashboard writes its addresses in another way."""


def under_prefix(app: WSGIApplication, prefix: str) -> WSGIApplication:
    """Return the dashboard for a place below a prefix, read-only; all else than reading is refused (403).

    Args:
        app: The dashboard.
        prefix: Start of its addresses, without a slash at the end; the server takes it off.
    """

    def answer(environment: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        path = environment.get("PATH_INFO", "")
        if environment["REQUEST_METHOD"] not in _READING:
            return _text(start, "403 Forbidden", '{"reason": "this dashboard is read-only"}\n')
        if path.rstrip("/") == "":
            start("302 Found", [("Location", f"{prefix}{_PAGE}"), ("Content-Length", "0")])
            return []
        if path == _BUNDLE:
            return _bundle(environment, start, prefix)
        if path.rstrip("/") == _PAGE or path.startswith(f"{_PAGE}/"):
            return _page(app, environment, start, prefix)
        return app(environment, start)

    return answer


def _bundle(environment: WSGIEnvironment, start: StartResponse, prefix: str) -> list[bytes]:
    try:
        script, packed = bundle(prefix)
    except UnknownScript as error:
        return _text(start, "501 Not Implemented", f'{{"reason": "{error}"}}\n')
    headers = [
        ("Content-Type", "text/javascript; charset=utf-8"),
        ("Cache-Control", "private, max-age=3600"),
        ("Vary", "Accept-Encoding"),
    ]
    if "gzip" in environment.get("HTTP_ACCEPT_ENCODING", ""):
        headers.append(("Content-Encoding", "gzip"))
        script = packed
    start("200 OK", [*headers, ("Content-Length", str(len(script)))])
    return [] if environment["REQUEST_METHOD"] == "HEAD" else [script]


@cache
def bundle(prefix: str) -> tuple[bytes, bytes]:
    """Return the dashboard's script with addresses below a prefix, plain and compressed.

    Raises:
        UnknownScript: If not all of its addresses can be told.
    """
    script = files("optuna_dashboard").joinpath("public", "bundle.js").read_text(encoding="utf-8")
    for before, after in _ADDRESSES:
        former = before.format()
        if former not in script:
            raise UnknownScript("this version of Optuna Dashboard is not known here; run autokd dashboard")
        script = script.replace(former, after.format(prefix))
    content = script.encode()
    return content, gzip.compress(content, 6, mtime=0)


def _page(
    app: WSGIApplication, environment: WSGIEnvironment, start: StartResponse, prefix: str
) -> list[bytes]:
    begun: list[Any] = []

    def start_later(*response: Any) -> Callable[[bytes], object]:
        begun[:] = response
        return lambda text: None

    # A page that the browser has already may have been that of another prefix.
    plain = {key: value for key, value in environment.items() if not key.startswith("HTTP_IF_")}
    answered = app(plain, start_later)
    try:
        body = b"".join(answered)
    finally:
        # It may be an open file.
        getattr(answered, "close", lambda: None)()
    status, headers, *more = begun
    body = body.replace(b'"/static/', f'"{prefix}/static/'.encode())
    kept = [(name, value) for name, value in headers if name.lower() not in _OF_THE_FILE]
    start(status, [*kept, ("Content-Length", str(len(body)))], *more)
    return [body]


_OF_THE_FILE: Final = ("content-length", "last-modified", "etag", "accept-ranges", "date")


def _text(start: StartResponse, status: str, text: str) -> list[bytes]:
    body = text.encode()
    start(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
