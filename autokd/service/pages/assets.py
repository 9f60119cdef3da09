"""What pages load: scripts, styles and the library that draws figures, each under a name of its content."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Annotated, Final

from fastapi import APIRouter, Header
from starlette.responses import Response

from autokd.report.page import plotly_source
from autokd.service.accepted import preferred
from autokd.service.problems import Problem

router = APIRouter(prefix="/assets", include_in_schema=False)

_JAVASCRIPT, _STYLE = "text/javascript", "text/css"


@dataclass(frozen=True, slots=True)
class Asset:
    """A file that pages load.

    Attributes:
        mark: What tells its content from all others.
        packed: Its content, compressed.
    """

    content: bytes
    media_type: str
    mark: str
    packed: bytes


@router.get("/{name}")
def read_asset(
    name: str, v: str | None = None, accept_encoding: Annotated[str | None, Header()] = None
) -> Response:
    """Return a file; the address with its mark is the same for ever."""
    asset = _asset(name)
    if asset is None:
        raise Problem(404, "not-found", "there is nothing at this address")
    kept = "public, max-age=31536000, immutable" if v == asset.mark else "no-cache"
    headers = {"Cache-Control": kept, "Vary": "Accept-Encoding"}
    if preferred(accept_encoding or "identity", ("gzip",)):
        headers["Content-Encoding"] = "gzip"
        return Response(asset.packed, media_type=asset.media_type, headers=headers)
    return Response(asset.content, media_type=asset.media_type, headers=headers)


def asset_address(name: str) -> str:
    """Return the address of a file."""
    asset = _asset(name)
    assert asset is not None, f"there is no {name}"
    return f"/assets/{name}?v={asset.mark}"


def _template(package: str, name: str) -> Callable[[], str]:
    return lambda: files(package).joinpath("templates", name).read_text(encoding="utf-8")


_SOURCES: Final[Mapping[str, tuple[Callable[[], str], str]]] = {
    "plotly.js": (plotly_source, _JAVASCRIPT),
    "page.js": (_template("autokd.report", "page.js"), _JAVASCRIPT),
    "live.js": (_template("autokd.service.pages", "live.js"), _JAVASCRIPT),
    "page.css": (_template("autokd.report", "page.css"), _STYLE),
    "live.css": (_template("autokd.service.pages", "live.css"), _STYLE),
}


@cache
def _known(name: str) -> Asset:
    read, media_type = _SOURCES[name]
    content = read().encode()
    mark = hashlib.sha256(content).hexdigest()[:16]
    return Asset(content, media_type, mark, gzip.compress(content, 6, mtime=0))


def _asset(name: str) -> Asset | None:
    return _known(name) if name in _SOURCES else None
