"""`autokd --server URL COMMAND`: a service does the command; output and exit code are the same."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

import typer

from autokd.cli.remote_arguments import Asked
from autokd.config.defaults import SERVER_VARIABLE
from autokd.errors import InputError

if TYPE_CHECKING:
    from autokd.client import Client


def remote_server(arguments: Sequence[str]) -> tuple[str, str, list[str]] | None:
    """Return address, command and its arguments if a service is to do it; None if this machine is.

    A service is named by `--server` before the command, or by the environment. The environment does not count
    for commands that no service can do.

    Raises:
        InputError: If `--server` is followed by no address, or by a command that no service can do.
    """
    rest, address = list(arguments), None
    while rest and rest[0].startswith("-"):
        name, equals, value = rest.pop(0).partition("=")
        if name != "--server":
            return None
        address = value if equals else (rest.pop(0) if rest else "")
        if not address.strip():
            raise InputError("--server: needs an address, e.g. --server http://127.0.0.1:8321")
    if not rest:
        return None
    command = rest.pop(0)
    if command in _COMMANDS:
        address = address or os.environ.get(SERVER_VARIABLE)
        return None if not address else (address, command, rest)
    if address is None:
        return None
    raise InputError(
        f"--server: a service does autokd {', '.join(sorted(_COMMANDS))}; run autokd {command} without it"
    )


def run_remote(app: typer.Typer, address: str, command: str, arguments: Sequence[str]) -> int:
    """Let a service do a command, print what it prints, and return its exit code.

    Raises:
        InputError: If an option does not hold, or the service refuses.
        ServiceError: If the service does not answer.
    """
    if find_spec("httpx2") is None:
        raise InputError("--server needs httpx2; pip install 'autokd[client]'")
    from autokd.client import Client

    asked = Asked.parsed(app, command, arguments)
    try:
        with Client(address) as client:
            return _function(command)(client, asked)
    except KeyboardInterrupt:
        return 130


_READING: Final = frozenset({"status", "observations", "advise", "recommend"})
_JOBS: Final = frozenset({"tune", "explain", "distill", "stop"})
_COMMANDS: Final = _READING | _JOBS | {"report"}


def _function(command: str) -> Callable[[Client, Asked], int]:
    from autokd.cli import remote_jobs, remote_reading

    if command in _READING:
        return remote_reading.read
    return getattr(remote_jobs if command in _JOBS else remote_reading, command)  # type: ignore[no-any-return]
