"""`/studies/{name}`: the report of a study as a page that stays up to date, and the panels of its pairs."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from autokd.config.yaml_files import shipped
from autokd.service.auth import reads
from autokd.service.context import Context, InContext, PairName, SpaceName, StudyName
from autokd.service.pages.contents import Contents
from autokd.service.pages.rendering import page_router, rendered
from autokd.service.pages.watch import Watch
from autokd.service.pages.work import work_of

router = page_router(prefix="/studies/{name}", dependencies=[reads])


@router.get("")
def read_study_page(
    request: Request, context: InContext, name: StudyName, space: SpaceName = None
) -> Response:
    """Return the page of a study: what `autokd report` writes, below it what is at work."""
    content = _parts(request, context).contents.study(name, space)
    values = {**content.values, **_addresses(name, space)}
    return rendered(
        request,
        "study.html",
        version=content.version,
        spaces=sorted(shipped("search_spaces")),
        work=work_of(context, name, space),
        **values,
    )


@router.get("/pairs/{pair}")
def read_pair_page(
    request: Request,
    context: InContext,
    name: StudyName,
    pair: PairName,
    space: SpaceName = None,
    panel: Annotated[bool, Query(description="Only the panel, as in the page of the study.")] = False,
) -> Response:
    """Return the page of a pair: what `autokd report --pair` writes."""
    content = _parts(request, context).contents.pair(name, space, pair)
    values = {**content.values, **_addresses(name, space)}
    template = "panel.html" if panel else "pair.html"
    return rendered(request, template, version=content.version, **values)


@router.get("/work")
def read_work(request: Request, context: InContext, name: StudyName, space: SpaceName = None) -> Response:
    """Return the part of the page that says what is at work."""
    values = _addresses(name, space)
    return rendered(request, "work.html", work=work_of(context, name, space), **values)


@router.get("/events")
async def read_changes(
    request: Request, context: InContext, name: StudyName, space: SpaceName = None
) -> Response:
    """Return server-sent events that say which part of the page has changed, until the session is over."""
    # What does not exist is told now, and not in the middle of a stream.
    await run_in_threadpool(context.catalogue.workspace, name, space)
    watch = _parts(request, context).watch
    return context.stream(request, watch.events(name, space, closed=lambda: context.feed.closed))


class _Parts:
    """What the pages of all studies share."""

    def __init__(self, context: Context) -> None:
        self.contents = Contents(context)

        def look(name: str, space: str | None) -> dict[str, str]:
            return {
                "work": work_of(context, name, space).version,
                "results": context.views.version(name, space),
            }

        self.watch = Watch(look)


def _parts(request: Request, context: Context) -> _Parts:
    state = request.app.state
    if not hasattr(state, "pages"):
        state.pages = _Parts(context)
    parts: _Parts = state.pages
    return parts


def _addresses(name: str, space: str | None) -> dict[str, Any]:
    """Return where the page and its parts are."""
    page, query = f"/studies/{name}", "" if space is None else f"?space={space}"
    return {
        "study_name": name,
        "chosen_space": space,
        "page_address": page,
        "query": query,
        "pairs_address": f"{page}{query}#pairs",
        "pair_address": lambda teacher, student: f"{page}/pairs/{teacher}-{student}{query}",
    }
