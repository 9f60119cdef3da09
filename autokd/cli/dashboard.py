"""`autokd dashboard`: Optuna Dashboard on the right storage."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated

import typer

from autokd.cli import options
from autokd.cli.console import note
from autokd.config.defaults import HOME
from autokd.errors import InputError
from autokd.workflows.dashboard.access import guarded, is_loopback, names_of
from autokd.workflows.dashboard.safe_csv import with_safe_csv


def dashboard(
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes any free one.")
    ] = 8080,
    host: Annotated[
        str, typer.Option(help="Address to listen on; any but a loopback address is open to others.")
    ] = "127.0.0.1",
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            help="A further name by which the dashboard is asked for, e.g. of a proxy; may be repeated.",
            metavar="NAME",
        ),
    ] = None,
    writable: Annotated[
        bool, typer.Option("--writable", help="Let the dashboard's page change and delete studies.")
    ] = False,
    home: options.Home = HOME,
    storage: options.Storage = None,
) -> None:
    """Open Optuna Dashboard on the stored results: each pair's study with trials, curves and parameters.

    Pair and decision stand before the name of each study. It changes nothing, unless it is --writable.

    Example:
        autokd dashboard --port 8080
    """
    from socketserver import ThreadingMixIn
    from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

    from optuna_dashboard import wsgi

    from autokd.store import Store

    # Imported here: plotly takes a while to import.
    from autokd.workflows.dashboard.pairs import with_pairs
    from autokd.workspace import storage_url

    class Server(ThreadingMixIn, WSGIServer):
        """Serves several requests at once, as browsers send them."""

        daemon_threads = True

    class Quiet(WSGIRequestHandler):
        """Prints no line per request."""

        def log_message(self, format: str, *args: object) -> None:
            pass

    with Store.open(storage_url(storage, home), create=False) as store:
        app = guarded(
            with_pairs(with_safe_csv(wsgi(store.optuna_storage)), store),
            names=names_of(host, allow_host or ()),
            any_address=host in ("", "0.0.0.0", "::"),
            writable=writable,
        )
        try:
            server = make_server(host, port, app, server_class=Server, handler_class=Quiet)
        except OSError as error:
            problem = f"cannot listen there ({error.strerror})"
            raise InputError(f"--host {host} --port {port}: {problem}; --port 0 takes a free one") from error
        with server, suppress(KeyboardInterrupt):  # Ctrl-C is the normal end.
            note(f"Optuna Dashboard on {store.url}")
            note(f"open http://{host}:{server.server_port}/dashboard  (Ctrl-C ends it)")
            if not is_loopback(host):
                can = "read and change" if writable else "read"
                note(f"warning: everybody who can reach this address can {can} the studies")
            server.serve_forever()
