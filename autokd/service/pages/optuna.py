"""`/optuna/`: Optuna Dashboard on the same store, read-only, for those who have signed in or have a token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from a2wsgi import WSGIMiddleware
from starlette.types import Receive, Scope, Send

from autokd.service.opened_store import OpenedStore
from autokd.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

PREFIX: Final = "/optuna"
_THREADS: Final = 4
"""Requests that are answered at once."""


class OptunaDashboard:
    """The dashboard as an application that is mounted at `PREFIX`.

    Args:
        opened: The store; another dashboard is made when its file was replaced.
    """

    def __init__(self, opened: OpenedStore) -> None:
        self._opened = opened
        self._made: tuple[Store, WSGIApplication] | None = None
        self._bridge = WSGIMiddleware(self._answer, workers=_THREADS)  # type: ignore[arg-type]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._bridge(scope, receive, send)  # type: ignore[arg-type]

    def _answer(self, environment: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        return self._app()(environment, start)

    def _app(self) -> WSGIApplication:
        store, made = self._opened.store, self._made
        if made is None or made[0] is not store:
            # Imported here: the dashboard takes a while to import, and a service may never be asked for it.
            from optuna_dashboard import wsgi

            from autokd.workflows.dashboard.pairs import with_pairs
            from autokd.workflows.dashboard.safe_csv import with_safe_csv
            from autokd.workflows.dashboard.under_prefix import under_prefix

            app = with_pairs(with_safe_csv(wsgi(store.optuna_storage)), store)
            made = self._made = store, under_prefix(app, PREFIX)
        return made[1]
