"""Keeps a password that was typed into `--storage` out of the process list and of Ray's records."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from autokd.config.defaults import STORAGE_VARIABLE

_OPTION = "--storage"


def hide_secrets() -> None:
    """Start anew, with an address that holds a secret in the environment rather than in the arguments.

    Ray keeps the command line of its driver in its job records, and reads it from the operating system: only
    a new process image has another one.
    """
    arguments, secret = without_secret(sys.argv[1:])
    if secret is not None:
        environment = {**os.environ, STORAGE_VARIABLE: secret}
        sys.stdout.flush()
        os.execve(sys.executable, [sys.executable, "-m", "autokd", *arguments], environment)


def without_secret(arguments: Sequence[str]) -> tuple[list[str], str | None]:
    """Arguments without a `--storage` that holds a secret, and that address; None if there is none."""
    kept: list[str] = []
    secret: str | None = None
    waiting = iter(arguments)
    for argument in waiting:
        name, equals, value = argument.partition("=")
        if name != _OPTION:
            kept.append(argument)
            continue
        written = [argument]
        if not equals:
            value = next(waiting, "")
            written.append(value)
        if value and holds_secret(value):
            secret = value
        else:
            kept += [part for part in written if part]
    return kept, secret


def holds_secret(address: str) -> bool:
    """Whether an address is not to be shown as it is."""
    # Imported here: the databases' libraries take a second, and most commands do without.
    from autokd.store import redacted

    return redacted(address) != address
