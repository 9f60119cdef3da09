"""`autokd serve`: what the store has, over HTTP, for everybody who has a token."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from autokd.cli.console import note
from autokd.errors import InputError


def serve(
    host: Annotated[
        str | None,
        typer.Option(help="Address to listen on. By default 127.0.0.1: this machine only.", metavar="HOST"),
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port, by default 8321; 0 for any that is free.")
    ] = None,
    study: Annotated[
        list[Path] | None,
        typer.Option(
            help="A study recipe to serve beside the shipped ones and those in recipes/ of the home; may be "
            "repeated.",
            metavar="FILE",
        ),
    ] = None,
    home: Annotated[
        Path | None,
        typer.Option(help="Folder that holds everything autokd writes, by default autokd-home."),
    ] = None,
    storage: Annotated[
        str | None, typer.Option(help="Database URL. By default a SQLite file in the home folder.")
    ] = None,
    no_auth: Annotated[
        bool | None,
        typer.Option(
            "--no-auth", help="Want no token; only on an address of this machine.", show_default=False
        ),
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(min=0, help="Jobs done at once, by default 1; 0 leaves them to others.")
    ] = None,
    data_root: Annotated[
        Path | None,
        typer.Option(help="Folder of the data that recipes sent here may name, by default data in the home."),
    ] = None,
    allow_code: Annotated[
        list[str] | None,
        typer.Option(
            help="Package that code of recipes sent here may come from; may be repeated. By default none.",
            metavar="PACKAGE",
        ),
    ] = None,
    cors: Annotated[
        list[str] | None,
        typer.Option(
            help="Let pages of this origin read; may be repeated. By default none.", metavar="ORIGIN"
        ),
    ] = None,
    proxy: Annotated[
        list[str] | None,
        typer.Option(
            help="Address or network of a proxy whose X-Forwarded-For is believed; may be repeated. "
            "By default none.",
            metavar="ADDRESS",
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(help="File of settings, by default autokd.toml in this folder if it is there."),
    ] = None,
) -> None:
    """Serve studies, recommendations, reports and tables from the store over HTTP, until Ctrl-C.

    Every request but /healthz and /readyz needs a token (autokd token create). A setting is the option's if
    it is given, else that of the environment (AUTOKD_SERVE_PORT, AUTOKD_HOME, ...), else that of the file.

    Examples:
        autokd serve
        curl -H "Authorization: Bearer $TOKEN" localhost:8321/v1/studies
    """
    missing = [name for name in ("fastapi", "uvicorn") if find_spec(name) is None]
    if missing:
        raise InputError(f"autokd serve needs {' and '.join(missing)}; pip install 'autokd[service]'")
    from autokd.service.server import serve as run
    from autokd.service.settings import read_settings

    options = {"host": host, "port": port, "home": home, "storage": storage, "no_auth": no_auth}
    lists = {"studies": study, "cors": cors, "allow_code": allow_code, "proxies": proxy}
    settings = read_settings({**options, **lists, "jobs": jobs, "data_root": data_root}, os.environ, config)

    def started(port: int) -> None:
        shown = f"[{settings.host}]" if ":" in settings.host else settings.host
        note(f"serving on http://{shown}:{port}; Ctrl-C ends it")

    run(settings, started)
