"""`autokd dashboard`: Optuna Dashboard on the right storage."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated

import typer

from autokd.cli import options
from autokd.cli.console import note
from autokd.config.defaults import HOME
from autokd.errors import InputError


def dashboard(
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes any free one.")
    ] = 8080,
    host: Annotated[
        str, typer.Option(help="Address to listen on; any but a loopback address is open to others.")
    ] = "127.0.0.1",
    home: options.Home = HOME,
    storage: options.Storage = None,
) -> None:
    """Open Optuna Dashboard on the stored results: each pair's study with trials, curves and parameters.

    Example: [bold]autokd dashboard --port 8080[/bold]
    """
    from socketserver import ThreadingMixIn
    from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

    from optuna_dashboard import wsgi

    from autokd.store import Store
    from autokd.workspace import storage_url

    class Server(ThreadingMixIn, WSGIServer):
        """Serves several requests at once, as browsers send them."""

        daemon_threads = True

    class Quiet(WSGIRequestHandler):
        """Prints no line per request."""

        def log_message(self, format: str, *args: object) -> None:
            pass

    with Store.open(storage_url(storage, home), create=False) as store:
        app = wsgi(store.optuna_storage)
        try:
            server = make_server(host, port, app, server_class=Server, handler_class=Quiet)
        except OSError as error:
            problem = f"cannot listen there ({error.strerror})"
            raise InputError(f"--host {host} --port {port}: {problem}; --port 0 takes a free one") from error
        with server, suppress(KeyboardInterrupt):  # Ctrl-C is the normal end.
            note(f"Optuna Dashboard on {store.url}")
            note(f"open http://{host}:{server.server_port}/dashboard  (Ctrl-C ends it)")
            if host not in ("127.0.0.1", "localhost", "::1"):
                note("warning: everybody who can reach this address can read and change the studies")
            server.serve_forever()
