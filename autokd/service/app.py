"""The application: resources inside, then errors, tokens, bounds and log around them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.middleware.cors import CORSMiddleware

from autokd._version import __version__
from autokd.service import problems
from autokd.service.auth import Authentication, new_guesses
from autokd.service.catalogue import Catalogue
from autokd.service.commands import Commands
from autokd.service.context import Context
from autokd.service.counters import Counters
from autokd.service.dispatcher import Dispatcher
from autokd.service.envelope import Envelope
from autokd.service.feed import Feed
from autokd.service.opened_store import FRESH_SECONDS, OpenedStore
from autokd.service.pages import assets, front
from autokd.service.pages import studies as study_pages
from autokd.service.pages.optuna import PREFIX, OptunaDashboard
from autokd.service.rates import Rates
from autokd.service.readiness import Readiness
from autokd.service.recipes import RecipeTaker
from autokd.service.resources import audit, commands, files, health, inputs, jobs, models, pairs, studies
from autokd.service.sessions import Sessions
from autokd.service.settings import ServiceSettings
from autokd.service.streams import Streams
from autokd.service.views import Views

_BURST_SECONDS = 2.0
"""A bucket holds the requests of so many seconds."""


class Service:
    """The service as an ASGI application.

    Args:
        settings: How it is set up.
        fresh_seconds: How long the store is not asked again for what has changed.

    Raises:
        InputError: If a file of `settings.studies` cannot be served.
    """

    def __init__(self, settings: ServiceSettings, *, fresh_seconds: float = FRESH_SECONDS) -> None:
        opened = OpenedStore(settings.address, fresh_seconds=fresh_seconds)
        catalogue = Catalogue(settings.home, settings.address, settings.studies)
        counters = Counters()
        views, dispatcher = Views(catalogue, opened), Dispatcher(settings, opened, catalogue)
        self.context = Context(
            settings=settings,
            opened=opened,
            catalogue=catalogue,
            views=views,
            counters=counters,
            feed=Feed(opened),
            dispatcher=dispatcher,
            readiness=Readiness(settings, opened, fresh_seconds=fresh_seconds),
            sessions=Sessions(opened),
            guesses=new_guesses(),
            streams=Streams(),
        )
        self.api = _api(self.context)
        self._app = Envelope(
            self.api,
            counters=counters,
            body_seconds=settings.body_seconds,
            max_body=settings.max_body,
        )

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self._app(scope, receive, send)

    def close(self) -> None:
        """Close the store."""
        self.context.views.close()
        self.context.opened.close()


def _api(context: Context) -> FastAPI:
    settings, opened = context.settings, context.opened

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        context.dispatcher.start()
        yield
        await run_in_threadpool(context.dispatcher.close)
        await run_in_threadpool(opened.close)

    app = FastAPI(
        title="autokd",
        summary="Which knowledge-distillation setting works for each pair of models: what is known so far.",
        version=__version__,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        docs_url=None,  # Those pages load scripts from other hosts.
        redoc_url=None,
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False},
        lifespan=lifespan,
    )
    app.state.context, app.state.commands = context, Commands(settings)
    app.state.recipes = RecipeTaker(settings, context.catalogue)
    resources = (studies, pairs, files, commands, jobs, models, inputs, audit, health)
    for module in (*resources, front, assets, study_pages):
        app.include_router(module.router)
    app.mount(PREFIX, OptunaDashboard(opened))
    problems.install(app, settings.home, settings.root)

    rates = Rates(settings.rate, settings.rate * _BURST_SECONDS)
    # What is added last is outermost: a browser's question before the request itself holds no token.
    app.add_middleware(
        Authentication,
        sessions=context.sessions,
        guesses=context.guesses,
        rates=rates,
        no_auth=settings.no_auth,
        origins=settings.cors,
    )
    if settings.cors:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors,
            allow_methods=["GET", "POST", "PUT"],
            allow_headers=[
                *("Authorization", "Content-Type", "Idempotency-Key", "If-None-Match", "If-Range"),
                *("Last-Event-ID", "Range", "X-Request-ID"),
            ],
            expose_headers=["ETag", "Location", "Retry-After", "X-Request-ID"],
        )
    return app
